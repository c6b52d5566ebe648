"""Check a receipt of the registry, with nothing of the registry.

    python receipt_check.py receipt.json HEAD

HEAD is the head of the chain that you know from elsewhere: it stands on every statement of the day,
and the venue has it in its journal. What the receipt proves is printed; anything else ends with 1.
"""

import json
import sys
from hashlib import sha256


def root_of(leaf: str, path: list[list[str]]) -> str:
    """Go up from a leaf to the root, as RFC 6962 says."""
    node = sha256(b"\0" + leaf.encode()).digest()
    for side, other in path:
        pair = bytes.fromhex(other) + node if side == "left" else node + bytes.fromhex(other)
        node = sha256(b"\1" + pair).digest()
    return node.hex()


def head_of(link: dict) -> str:
    """Compute the head of the chain from a link and the head before it."""
    reached = f"{link['entry_last']} {link['change_last']} {link['record_last']}"
    lines = (f"link {link['link_id']}", link["head_before"], reached, link["content_hash"])
    return sha256("\n".join([*lines, link["receipt_root"], ""]).encode()).hexdigest()


def receipt_wrong(receipt: dict, head: str) -> str:
    """Say what is wrong with a receipt; '' if nothing."""
    if root_of(receipt["leaf"], receipt["path"]) != receipt["root"]:
        return "the leaf does not lead to the root"
    if receipt["root"] not in receipt["link"]["receipt_root"].split():
        return "the root is not the link's"
    if head_of(receipt["link"]) != head:
        return "the link does not lead to the head"
    return ""


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        content = json.load(file)
    wrong = receipt_wrong(content, sys.argv[2])
    if wrong:
        sys.exit(f"{sys.argv[1]}: {wrong}")
    print(content["leaf"], end="")
