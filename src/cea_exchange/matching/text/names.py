"""The names of an embedded market: what text each index and order id of the core stands for."""

from typing import NamedTuple

from cea_exchange.domain.naming import CASH_NAME, id_check
from cea_exchange.domain.records import ACCOUNT_NONE, PRODUCT_NONE

GROUP_NONE = 0


class Names:
    """Products, accounts and groups by name, and today's orders, blocks and bids by text id.

    The core numbers products and accounts in order of declaration; lists here follow it. A text id
    is one account's for one trading day, whether its order or bid is live or finished; a block's
    and a bidding's is the whole market's.
    """

    def __init__(self) -> None:
        self.products: list[str] = []
        self.accounts: list[str] = []
        self.account_groups: list[int] = []
        self.groups: list[str] = [""]
        self.order_ids: dict[tuple[int, str], int] = {}
        self.bid_ids: dict[tuple[int, str], int] = {}
        self.block_ids: dict[str, int] = {}
        self.bidding_ids: dict[str, int] = {}
        self.texts: dict[int, str] = {}
        self._product_indexes: dict[str, int] = {}
        self._account_indexes: dict[str, int] = {}

    def product_add(self, name: str) -> None:
        """Note the next product's name; it must be `product_check`ed."""
        self._product_indexes[name] = len(self.products)
        self.products.append(name)

    def account_add(self, name: str, group_index: int) -> None:
        """Note the next account's name; it must be `account_check`ed."""
        self._account_indexes[name] = len(self.accounts)
        self.accounts.append(name)
        self.account_groups.append(group_index)

    def product_check(self, name: str, fault: str | None = None) -> None:
        """Raise ValueError unless a product may be declared by this name.

        A `fault` is what the market's rules find wrong with it.
        """
        id_check(name, "product")
        if fault is not None:
            raise ValueError(fault)
        if name in self._product_indexes:
            raise ValueError(f"product: expected a new name, got {name!r}, declared already")
        if name == CASH_NAME:
            # Holdings are hashed by account and asset name; cash is the asset of this name.
            raise ValueError(f"product: expected a name that is not cash's, got {name!r}")

    def account_check(self, name: str) -> None:
        """Raise ValueError unless an account may be declared by this name."""
        id_check(name, "account")
        if name in self._account_indexes:
            raise ValueError(f"account: expected a new name, got {name!r}, declared already")

    def group_index(self, group: str | None) -> int:
        """Return the index of a group, a new one for a new name; None is no group."""
        if group is None:
            return GROUP_NONE
        id_check(group, "group")
        if group not in self.groups[1:]:
            self.groups.append(group)
        return self.groups.index(group, 1)

    def group_index_known(self, name: str) -> int:
        """Return the index of a group, `ACCOUNT_NONE` for an unknown name."""
        return self.groups.index(name, 1) if name in self.groups[1:] else ACCOUNT_NONE

    def product_index(self, name: str) -> int:
        """Return a product's index, `PRODUCT_NONE` for an unknown name."""
        return self._product_indexes.get(name, PRODUCT_NONE)

    def account_index(self, name: str) -> int:
        """Return an account's index, `ACCOUNT_NONE` for an unknown name."""
        return self._account_indexes.get(name, ACCOUNT_NONE)

    def order_add(self, account_index: int, text: str, order_id: int) -> None:
        """Note an accepted order's text id."""
        self.order_ids[account_index, text] = order_id
        self.texts[order_id] = text

    def block_add(self, text: str, block_id: int) -> None:
        """Note the text id of a block offer or enquiry."""
        self.block_ids[text] = block_id
        self.texts[block_id] = text

    def bidding_add(self, text: str, bidding_id: int) -> None:
        """Note the text id of a bidding."""
        self.bidding_ids[text] = bidding_id
        self.texts[bidding_id] = text

    def bid_add(self, account_index: int, text: str, bid_id: int) -> None:
        """Note an accepted bid's text id."""
        self.bid_ids[account_index, text] = bid_id
        self.texts[bid_id] = text

    def orders_reset(self) -> None:
        """Forget the day's text ids: a new day may use them again."""
        self.order_ids.clear()
        self.bid_ids.clear()
        self.block_ids.clear()
        self.bidding_ids.clear()
        self.texts.clear()

    def order_text(self, order_id: int, client_order_id: int) -> str:
        """Return an order's text id; an order that came as a record has its number for one."""
        text = self.texts.get(order_id)
        return str(client_order_id) if text is None else text

    def block_text(self, block_id: int) -> str:
        """Return a block's or bidding's text id; one that has none has its number for one."""
        return self.texts.get(block_id, str(block_id))

    def is_intra_group(self, account_index: int, counter_account_index: int) -> bool:
        """Return whether two accounts belong to one group."""
        group = self.account_groups[account_index]
        return group != GROUP_NONE and group == self.account_groups[counter_account_index]

    def to_builtins(self) -> dict[str, list]:
        """Return all names for a snapshot."""
        return {
            "products": list(self.products),
            "accounts": list(self.accounts),
            "account_groups": list(self.account_groups),
            "groups": list(self.groups),
            "orders": [[*key, order_id] for key, order_id in self.order_ids.items()],
            "blocks": [[text, block_id] for text, block_id in self.block_ids.items()],
            "biddings": [[text, bidding_id] for text, bidding_id in self.bidding_ids.items()],
            "bids": [[*key, bid_id] for key, bid_id in self.bid_ids.items()],
            "texts": [[order_id, text] for order_id, text in self.texts.items()],
        }

    @classmethod
    def from_builtins(cls, state: dict[str, list]) -> "Names":
        """Return the names that `to_builtins` gave."""
        names = cls()
        names.groups = list(state["groups"])
        for name in state["products"]:
            names.product_add(name)
        for name, group_index in zip(state["accounts"], state["account_groups"], strict=True):
            names.account_add(name, group_index)
        for account_index, text, order_id in state["orders"]:
            names.order_add(account_index, text, order_id)
        for text, block_id in state["blocks"]:
            names.block_add(text, block_id)
        for text, bidding_id in state["biddings"]:
            names.bidding_add(text, bidding_id)
        for account_index, text, bid_id in state["bids"]:
            names.bid_add(account_index, text, bid_id)
        # Orders that came as records have a text only; snapshots of before had no such.
        names.texts.update(state.get("texts", []))
        return names


class Asked(NamedTuple):
    """What a command named, in the words it came with; a refusal repeats them."""

    id: str | None = None
    account: str | None = None
    product: str | None = None
    pick: str | None = None
    cash: str | None = None
    tonnes: int | None = None


def text_check(text: str, what: str) -> None:
    """Raise unless text can be written as UTF-8 (JSON can spell half a surrogate pair)."""
    if type(text) is not str:
        raise TypeError(f"{what}: expected str, got {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{what}: expected Unicode text, got {text!r}") from None
