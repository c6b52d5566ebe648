"""Mutants of the compiled core: one small wrong change of its Cython sources each.

Contents: statements, candidates, selection, planted mutants.

A source is read token by token, so that no comment, docstring, message, declaration or import is
ever changed, and every mutant has as many lines as the original.
"""

from __future__ import annotations

import hashlib
import io
import math
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise
from pathlib import Path

CORE = "src/cea_exchange"
APART = {"_records.pxd", "matching/flow/_flow_text.pyx", "matching/flow/_replay.pyx"}
"""Generated layouts and numbers; readers of files. They decide nothing."""

FLIPS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
ARITHMETIC = {"+": "-", "-": "+", "<<": ">>", ">>": "<<", "&": "|", "|": "&"}
IN_PLACE = {"+=": "-=", "-=": "+=", "|=": "&=", "&=": "|=", "<<=": ">>=", ">>=": "<<="}
LOGIC = {"and": "or", "or": "and", "True": "False", "False": "True"}
OPPOSITES = (
    ("SIDE_BUY", "SIDE_SELL"),
    ("BID_NONE", "ASK_NONE"),
    ("oldest", "newest"),
    ("older", "newer"),
    ("bitmap_above", "bitmap_below"),
    ("leg_buy", "leg_sell"),
    ("price_min", "price_max"),
    ("taker", "maker"),
    ("taker_fee", "maker_fee"),
    ("buy_fee", "sell_fee"),
    ("order_lock", "order_unlock"),
    ("min", "max"),
)
SWAPS = dict(chain(OPPOSITES, ((right, left) for left, right in OPPOSITES)))
FAMILIES = ("REASON_", "EVENT_KIND_", "SELF_TRADE_", "TIF_", "PHASE_")

# So many times as rare as dropped statements are, about.
RARITY = {
    "dropped": 1,
    "constant": 1.5,
    "comparison": 3,
    "condition": 4,
    "swapped": 4,
    "index": 5,
    "logic": 6,
    "arithmetic": 7,
    "word": 11,
    "in place": 12,
}
DECLARERS = {"cdef", "cpdef", "ctypedef", "class", "def", "@", "from", "import", "cimport"}
WORDS = {"and", "or", "not", "in", "is", "if", "elif", "else", "while", "return", "for", "lambda"}
NEVER_DROPPED = {"pass", "global", "nonlocal", "include", "="}
PROSE = {tokenize.STRING} | {
    getattr(tokenize, name)
    for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
    if hasattr(tokenize, name)
}


@dataclass(frozen=True)
class Mutant:
    """A change of one file. `old` and `new` are the line it is seen in, before and after."""

    name: str
    path: str
    function: str
    operator: str
    old: str
    new: str
    text: str = field(repr=False, compare=False)
    why: str = ""
    nth: int = 1
    """Which of those in its function that read the same."""

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What it is known by; the line number would change with every edit above it."""
        return self.path, self.function, self.old, self.new, self.nth


@dataclass
class Statement:
    """A logical line within a function."""

    path: str
    function: str
    tokens: list[tokenize.TokenInfo]


# -- Statements -----------------------------------------------------------------------------------


def logical_lines(text: str) -> Iterator[list[tokenize.TokenInfo]]:
    """Yield the tokens of each logical line, without comments and white space."""
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
    line: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.NEWLINE, tokenize.ENDMARKER):
            if line:
                yield line
            line = []
        elif token.type not in ignored:
            line.append(token)


def statements_of(path: str, text: str) -> list[Statement]:
    """Return the statements that say what the core does, each with the function it is in."""
    found = []
    scopes: list[tuple[int, str]] = []
    for tokens in logical_lines(text):
        indent = tokens[0].start[1]
        while scopes and scopes[-1][0] >= indent:
            scopes.pop()
        if tokens[0].string in DECLARERS and tokens[-1].string == ":":
            scopes.append((indent, scope_name(tokens)))
            continue
        within = [name for _, name in scopes]
        tokens = deciding_tokens(tokens)
        if tokens and "" not in within:
            found.append(Statement(path, ".".join(within) or "<module>", tokens))
    return found


def scope_name(tokens: list[tokenize.TokenInfo]) -> str:
    """The name of a function or class; nothing for a struct, an enum or what is extern."""
    words = [token.string for token in tokens]
    if {"struct", "enum", "union", "extern"} & set(words[:4]):
        return ""
    if "class" in words[:3]:
        return words[words.index("class") + 1]
    return words[words.index("(") - 1] if "(" in words else ""


def deciding_tokens(tokens: list[tokenize.TokenInfo]) -> list[tokenize.TokenInfo]:
    """What of a line decides something: of a declaration only the value it starts with."""
    if all(token.type in PROSE for token in tokens):
        return []
    if tokens[0].string not in DECLARERS:
        return tokens
    depth = 0
    for place, token in enumerate(tokens):
        depth += token.string in "([{" and len(token.string) == 1
        depth -= token.string in ")]}" and len(token.string) == 1
        if token.string == "=" and depth == 0 and tokens[0].string == "cdef":
            return tokens[place:]
    return []


# -- Candidates -----------------------------------------------------------------------------------


class Source:
    """A file's text, and the mutants that can be made of its statements."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.lines = text.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))
        self.statements = statements_of(path, text)
        names = {
            token.string
            for statement in self.statements
            for token in statement.tokens
            if token.string.startswith(FAMILIES)
        }
        self.families = {
            family: sorted(name for name in names if name.startswith(family)) for family in FAMILIES
        }

    def offset(self, place: tuple[int, int]) -> int:
        """Where a token's (line, column) is in the text."""
        return self.starts[place[0] - 1] + place[1]

    def mutants(self, statement: Statement) -> list[Mutant]:
        """Return every mutant of a statement."""
        made = []
        for operator, first, last, replacement in self.changes(statement.tokens):
            start, end = self.offset(first), self.offset(last)
            lost = self.text.count("\n", start, end) - replacement.count("\n")
            text = self.text[:start] + replacement + "\n" * lost + self.text[end:]
            row = first[0]
            old = "".join(self.lines[row - 1 : last[0]]).strip()
            new = "".join(text.splitlines(keepends=True)[row - 1 : last[0]]).strip()
            name = f"{Path(self.path).name}:{row}"
            made.append(Mutant(name, self.path, statement.function, operator, old, new, text))
        return made

    def changes(self, tokens: list[tokenize.TokenInfo]) -> Iterator[tuple]:
        """Yield (operator, start, end, replacement) of each change of a statement."""
        cast = casts_of(tokens)
        openers = []
        for place, token in enumerate(tokens):
            before = tokens[place - 1] if place else None
            if token.string == "[":
                openers.append(place)
            if place in cast or token.type in PROSE:
                continue
            for operator, replacement in self.token_changes(token, before):
                yield operator, token.start, token.end, replacement
            if token.string == "]":
                inside = tokens[openers.pop() : place]
                if is_subscript(tokens, place, inside):
                    yield "index", token.start, token.start, " + 1"
        yield from self.whole_changes(tokens)

    def token_changes(
        self, token: tokenize.TokenInfo, before: tokenize.TokenInfo | None
    ) -> Iterator[tuple[str, str]]:
        """Yield (operator, replacement) of one token."""
        word = token.string
        if word in FLIPS:
            yield "comparison", FLIPS[word]
        elif word in IN_PLACE:
            yield "in place", IN_PLACE[word]
        elif word in ARITHMETIC and ends_operand(before):
            yield "arithmetic", ARITHMETIC[word]
        elif word in LOGIC:
            yield "logic", LOGIC[word]
        elif word == "not":
            yield "logic", ""
        elif word in SWAPS:
            yield "swapped", SWAPS[word]
        elif token.type == tokenize.NUMBER:
            number = int(word, 0)
            write = hex if word.lower().startswith("0x") else str
            yield "constant", write(number + 1)
            yield "constant", write(number - 1)
        for family in FAMILIES:
            if word.startswith(family):
                others = self.families[family]
                other = others[(others.index(word) + 1) % len(others)]
                if other != word:
                    yield "word", other

    def whole_changes(self, tokens: list[tokenize.TokenInfo]) -> Iterator[tuple]:
        """Yield the changes of a whole statement: dropped, or its condition turned round."""
        first, last = tokens[0], tokens[-1]
        if first.string in ("if", "elif", "while") and last.string == ":":
            start, end = tokens[1].start, tokens[-2].end
            condition = self.text[self.offset(start) : self.offset(end)]
            yield "condition", start, end, f"not ({condition})"
        elif last.string != ":" and first.string not in NEVER_DROPPED:
            yield "dropped", first.start, last.end, "pass"


def ends_operand(token: tokenize.TokenInfo | None) -> bool:
    """Whether an operator after this token has two sides."""
    if token is None or token.string in WORDS:
        return False
    return token.type in (tokenize.NAME, tokenize.NUMBER) or token.string in (")", "]")


def casts_of(tokens: list[tokenize.TokenInfo]) -> set[int]:
    """Return the places of `<type>` in a statement: no comparison begins without a left side."""
    places: set[int] = set()
    for place, token in enumerate(tokens):
        if token.string == "<" and not ends_operand(tokens[place - 1] if place else None):
            end = place
            while tokens[end].string != ">":
                end += 1
            places |= set(range(place, end + 1))
    return places


def is_subscript(tokens, place: int, inside: list[tokenize.TokenInfo]) -> bool:
    """Whether the bracket that closes at `place` indexes something by a number."""
    opener = place - len(inside)
    words = {token.string for token in inside}
    plain = not {":", "for", ","} & words and not any(token.type in PROSE for token in inside)
    return plain and opener > 0 and ends_operand(tokens[opener - 1]) and len(inside) > 1


# -- Selection ------------------------------------------------------------------------------------


def files_of_core(root: Path) -> list[str]:
    """Return the places of the Cython sources, those that are inlined elsewhere too."""
    paths = sorted((root / CORE).rglob("*.pxd")) + sorted((root / CORE).rglob("*.pyx"))
    names = [path.relative_to(root / CORE).as_posix() for path in paths]
    return [name for name in names if name not in APART]


def sources_read(root: Path) -> list[Source]:
    """Read the core."""
    paths = [f"{CORE}/{name}" for name in files_of_core(root)]
    return [Source(path, (root / path).read_text(encoding="utf-8")) for path in paths]


def mutants_select(root: Path, every: int, seed: int) -> list[list[Mutant]]:
    """Choose one mutant for `every` so many statements: lists, of each the first that compiles.

    A function's statements are cut into equal runs, one a mutant; what is left over is decided by
    lot. Nothing outside a function has a say in which of its mutants are chosen, so most are the
    same ones after a change of the core.
    """
    slots = []
    for source in sources_read(root):
        seen: Counter = Counter()
        functions: dict[str, list[list[Mutant]]] = {}
        for statement in source.statements:
            made = [numbered(mutant, seen) for mutant in source.mutants(statement)]
            if made:
                functions.setdefault(statement.function, []).append(made)
        for name, statements in functions.items():
            share = int(len(statements) / every + lot(seed, source.path, name))
            cuts = [place * len(statements) // share for place in range(share)]
            for start, end in pairwise([*cuts, len(statements)]):
                run = [mutant for mutants in statements[start:end] for mutant in mutants]
                slots.append(sorted(run, key=lambda mutant: turn(seed, mutant)))
    return slots


def lot(*words: object) -> float:
    """Draw a number within 0..1 that depends on the words alone."""
    digest = hashlib.blake2b(repr(words).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") + 1) / (1 << 64)


def turn(seed: int, mutant: Mutant) -> float:
    """When a mutant's turn comes: at random, but earlier if there are few of its kind."""
    return -math.log(lot(seed, *mutant.key)) / RARITY[mutant.operator]


def numbered(mutant: Mutant, seen: Counter) -> Mutant:
    """Tell it from others of its function that read the same."""
    seen[mutant.key] += 1
    return replace(mutant, nth=seen[mutant.key]) if seen[mutant.key] > 1 else mutant


# -- Planted mutants ------------------------------------------------------------------------------


def planted_read(root: Path, planted: Path) -> list[Mutant]:
    """Read the mutants made by hand; ValueError if an old text is not there exactly once."""
    made = []
    for name, entry in tomllib.loads(planted.read_text(encoding="utf-8")).items():
        path = f"{CORE}/{entry['file']}"
        text = (root / path).read_text(encoding="utf-8")
        if text.count(entry["old"]) != 1:
            raise ValueError(
                f"{planted.name}: {name}: `old`: expected in {path} once, "
                f"got there {text.count(entry['old'])} times"
            )
        mutated = text.replace(entry["old"], entry["new"])
        made.append(
            Mutant(
                name,
                path,
                "",
                "planted",
                entry["old"].strip(),
                entry["new"].strip(),
                mutated,
                entry["why"],
            )
        )
    return made
