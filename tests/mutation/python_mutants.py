"""Mutants of the pure-Python packages: one small wrong change of a module each.

Contents: sources, changes of expressions, changes of statements, changes of SQL, selection.

A module is read as a syntax tree, and a change is made in its text, so that a mutant differs from
the original in one place only and has as many lines.
"""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import CodeType

from mutants import CORE, Mutant, lot

COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.Div: ("/", "*"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
}
SWAPS = {"min": "max", "max": "min", "any": "all", "all": "any"}
LOG_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
DECLARED = {"frozen", "slots", "kw_only", "eq", "order", "gc", "repr", "weakref"}
"""Keywords by which a class is declared; what they change is seen by no rule."""

# The larger, the rarer a kind is drawn: dropped statements and constants are the commonest.
RARITY = {
    "dropped": 1.5,
    "constant": 1,
    "comparison": 3,
    "condition": 1.5,
    "operand": 4,
    "logic": 3,
    "arithmetic": 4,
    "swapped": 6,
    "returned": 0.7,
    "sql": 2.5,
}
STATEMENTS = {"dropped", "returned"}
"""Kinds that replace a whole statement."""
SQL_BEGINS = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|AND|WHERE|FROM|JOIN)\b")
SQL_TERM = r"[\w.]+ (?:=|<>|<=|>=|<|>) (?:\?|[\w.]+)"
SQL_CHANGES = (
    (re.compile(r" <= "), " < "),
    (re.compile(r" < "), " <= "),
    (re.compile(r" >= "), " > "),
    (re.compile(r" > "), " >= "),
    (re.compile(r"(?<=\w) \+ (?=\w)"), " - "),
    (re.compile(r"(?<=\w) - (?=\w)"), " + "),
    (re.compile(r"\bmin\("), "max("),
    (re.compile(r"\bmax\("), "min("),
    (re.compile(r" DESC\b"), " ASC"),
    (re.compile(r"\bNOT EXISTS\b"), "EXISTS"),
    (re.compile(r"\bIS NOT NULL\b"), "IS NULL"),
    (re.compile(r"\bIS NULL\b"), "IS NOT NULL"),
    (re.compile(r"\bNOT IN\b"), "IN"),
    (re.compile(r"\bDISTINCT "), ""),
    (re.compile(r"(?<=\d) OR | OR "), " AND "),
)


@dataclass(frozen=True)
class PythonMutant(Mutant):
    """A change of a module, and where it takes effect."""

    lines: tuple[int, int] = (0, 0)
    """First and last line of the statement; (0, 0) for what runs when the module is imported."""


# -- Sources --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A replacement of text[start:end]."""

    operator: str
    start: int
    end: int
    new: str


class Source:
    """A module's text, and the mutants that can be made of it."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.lines = text.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))
        ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT}
        self.tokens = [
            (self.starts[token.start[0] - 1] + token.start[1], token.string)
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type not in ignored
        ]
        self.log_calls = 0
        """How many statements only write to the log: dropping one is no mutant."""

    def begin(self, node: ast.AST) -> int:
        """Return where a node's text begins."""
        return self._offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        """Return where a node's text ends."""
        return self._offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def _offset(self, line: int, column: int) -> int:
        """Return the offset of a place that the syntax tree counts in bytes."""
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return self.starts[line - 1] + len(text.encode()[:column].decode())

    def token(self, words: str, start: int, end: int) -> tuple[int, int] | None:
        """Return where an operator of one or two words is between two offsets."""
        first, _, second = words.partition(" ")
        at = bisect_left(self.tokens, (start, ""))
        for place in range(at, len(self.tokens)):
            begun, word = self.tokens[place]
            if begun >= end:
                return None
            if word == first:
                last, word = self.tokens[place + 1] if second else (begun, word)
                return begun, last + len(word)
        return None

    def mutants(self) -> Iterator[PythonMutant]:
        """Yield every mutant of the module, in the order of its text."""
        seen: Counter = Counter()
        for function, statement, imported in statements_of(ast.parse(self.text)):
            lines = (0, 0) if imported else lines_of(statement)
            for change in changes_of(self, statement):
                mutant = self.mutant(change, function, lines)
                seen[mutant.key] += 1
                yield replace(mutant, nth=seen[mutant.key])

    def mutant(self, change: Change, function: str, lines: tuple[int, int]) -> PythonMutant:
        """Apply a change."""
        lost = self.text.count("\n", change.start, change.end) - change.new.count("\n")
        new = change.new + "\n" * lost
        if lost and change.operator not in STATEMENTS:
            new = f"({new})"
        text = self.text[: change.start] + new + self.text[change.end :]
        row = self.text.count("\n", 0, change.start)
        last = self.text.count("\n", 0, max(change.start, change.end - 1)) + 1
        old = "".join(self.lines[row:last]).strip()
        shown = "".join(text.splitlines(keepends=True)[row:last]).strip()
        name = f"{self.path.removeprefix(CORE + '/')}:{row + 1}"
        return PythonMutant(
            name, self.path, function, change.operator, old, shown, text, lines=lines
        )


def lines_of(statement: ast.stmt) -> tuple[int, int]:
    """Return the lines of a statement; of a compound one, those of its header."""
    body = getattr(statement, "body", None) or getattr(statement, "cases", None)
    last = statement.end_lineno or statement.lineno
    if body:
        first = body[0].pattern if isinstance(body[0], ast.match_case) else body[0]
        last = max(statement.lineno, first.lineno - 1)
    return statement.lineno, last


def statements_of(tree: ast.Module) -> Iterator[tuple[str, ast.stmt, bool]]:
    """Yield (function, statement, whether it runs at import) of all that decides something."""

    def visit(body: list[ast.stmt], scope: str, imported: bool) -> Iterator:
        for place, node in enumerate(body):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{scope}.{node.name}".lstrip(".")
                yield name, node, True  # its defaults
                yield from visit(node.body, name, False)
            elif isinstance(node, ast.ClassDef):
                if not any("Enum" in ast.unparse(base) for base in node.bases):
                    yield from visit(node.body, f"{scope}.{node.name}".lstrip("."), imported)
            elif is_silent(node, place):
                continue
            else:
                yield scope or "<module>", node, imported
                for inner in ("body", "orelse", "finalbody"):
                    yield from visit(getattr(node, inner, []), scope, imported)
                for inner in ("handlers", "cases"):
                    for part in getattr(node, inner, []):
                        yield from visit(part.body, scope, imported)

    yield from visit(tree.body, "", True)


def is_silent(node: ast.stmt, place: int) -> bool:
    """Tell whether a statement decides nothing: imports, docstrings, what type checkers read."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Assert | ast.Pass | ast.Global):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return True
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) in ("__all__", "__slots__")
    return False


def expressions_of(statement: ast.stmt) -> list[ast.expr]:
    """Return the expressions of a statement's own, without annotations and inner statements."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        arguments = statement.args
        return [*arguments.defaults, *(each for each in arguments.kw_defaults if each)]
    if isinstance(statement, ast.AnnAssign):
        return [each for each in (statement.value,) if each is not None]
    if isinstance(statement, ast.With | ast.AsyncWith):
        return [item.context_expr for item in statement.items]
    if isinstance(statement, ast.Match):
        return [statement.subject, *(case.guard for case in statement.cases if case.guard)]
    return [each for each in ast.iter_child_nodes(statement) if isinstance(each, ast.expr)]


# -- Changes of expressions -----------------------------------------------------------------------


def changes_of(source: Source, statement: ast.stmt) -> Iterator[Change]:
    """Yield every change of a statement."""
    if is_log_call(statement):
        source.log_calls += 1
        return
    for expression in expressions_of(statement):
        for node in deciding_nodes(expression):
            yield from expression_changes(source, node)
    yield from statement_changes(source, statement)


def deciding_nodes(expression: ast.expr) -> Iterator[ast.AST]:
    """Yield an expression and those within, without what words of messages are made of."""
    yield expression
    if isinstance(expression, ast.JoinedStr):
        return
    for child in ast.iter_child_nodes(expression):
        if isinstance(child, ast.keyword):
            if child.arg not in DECLARED:
                yield from deciding_nodes(child.value)
        elif isinstance(child, ast.comprehension):
            yield child
            for part in (child.iter, *child.ifs):
                yield from deciding_nodes(part)
        elif isinstance(child, ast.expr):
            yield from deciding_nodes(child)


def expression_changes(source: Source, node: ast.AST) -> Iterator[Change]:
    """Yield the changes of one expression, apart from those of what it consists of."""
    match node:
        case ast.Compare():
            sides = [node.left, *node.comparators]
            for left, operation, right in zip(sides, node.ops, sides[1:], strict=False):
                old, new = COMPARISONS[type(operation)]
                yield from replaced(source, "comparison", old, new, left, right)
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in ARITHMETIC:
            if not is_sequence(left) and not is_sequence(right):
                old, new = ARITHMETIC[type(operation)]
                yield from replaced(source, "arithmetic", old, new, left, right)
        case ast.BoolOp(op=operation, values=values):
            is_and = isinstance(operation, ast.And)
            old, new = ("and", "or") if is_and else ("or", "and")
            for left, right in pairwise(values):
                yield from replaced(source, "logic", old, new, left, right)
            for value in values:
                neutral = "True" if is_and else "False"
                yield Change("operand", source.begin(value), source.end(value), neutral)
        case ast.UnaryOp(op=ast.Not()):
            yield Change("logic", source.begin(node), source.begin(node) + 3, "")
        case ast.IfExp(test=test):
            yield negated(source, test)
        case ast.comprehension(ifs=conditions):
            for test in conditions:
                yield Change("condition", source.begin(test), source.end(test), "True")
        case ast.Constant(value=bool(value)):
            yield Change("logic", source.begin(node), source.end(node), str(not value))
        case ast.Constant(value=int(value)):
            for changed in (value + 1, value - 1):
                number = f"({changed})" if changed < 0 else str(changed)
                yield Change("constant", source.begin(node), source.end(node), number)
        case ast.Call(func=ast.Name(id=name) as called) if name in SWAPS:
            yield Change("swapped", source.begin(called), source.end(called), SWAPS[name])
        case ast.JoinedStr() | ast.Constant(value=str()):
            yield from sql_changes(source, node)


def replaced(
    source: Source, operator: str, old: str, new: str, left: ast.expr, right: ast.expr
) -> Iterator[Change]:
    """Yield the change of an operator between two operands."""
    place = source.token(old, source.end(left), source.begin(right))
    if place is not None:
        yield Change(operator, *place, new)


def negated(source: Source, test: ast.expr) -> Change:
    """Return the change of a condition into its contrary."""
    start, end = source.begin(test), source.end(test)
    return Change("condition", start, end, f"(not ({source.text[start:end]}))")


def is_sequence(node: ast.expr) -> bool:
    """Tell whether an operand is written as a text or a list, which can't be subtracted."""
    texts = ast.JoinedStr | ast.List | ast.Tuple | ast.ListComp
    return isinstance(node, texts) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


# -- Changes of statements ------------------------------------------------------------------------


def is_log_call(statement: ast.stmt) -> bool:
    """Tell whether a statement only writes to the log."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=level, value=logger))):
            return level in LOG_LEVELS and ast.unparse(logger).split(".")[-1].strip("_") == "log"
    return False


def statement_changes(source: Source, statement: ast.stmt) -> Iterator[Change]:
    """Yield the changes of a whole statement."""
    start, end = source.begin(statement), source.end(statement)
    match statement:
        case ast.If(test=test):
            yield negated(source, test)
            for always in ("True", "False"):
                yield Change("condition", source.begin(test), source.end(test), always)
        case ast.While(test=test):
            if not isinstance(test, ast.Constant):
                yield negated(source, test)
        case ast.Return(value=ast.expr() as value):
            if not isinstance(value, ast.Constant):
                yield Change("returned", start, end, "return None")
        case ast.AugAssign(target=target, op=operation, value=value):
            if type(operation) in ARITHMETIC and not is_sequence(value):
                old, new = ARITHMETIC[type(operation)]
                yield from replaced(source, "arithmetic", f"{old}=", f"{new}=", target, value)
            yield Change("dropped", start, end, "pass")
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]):
            yield Change("dropped", start, end, "pass")
        case ast.Expr(value=ast.Call() | ast.Await() | ast.Yield() | ast.YieldFrom()):
            yield Change("dropped", start, end, "pass")
        case ast.Delete() | ast.Raise() | ast.Continue() | ast.Break() | ast.Return():
            yield Change("dropped", start, end, "pass")


# -- Changes of SQL -------------------------------------------------------------------------------


def sql_changes(source: Source, node: ast.AST) -> Iterator[Change]:
    """Yield the changes of a text if it is SQL: of its operators, and a condition dropped."""
    start, end = source.begin(node), source.end(node)
    text = source.text[start:end]
    words = text.lstrip("rbfRBF").lstrip("\"'")
    if not SQL_BEGINS.match(words):
        return
    code = re.sub(r"\{[^{}]*\}", lambda part: "{" + "·" * (len(part[0]) - 2) + "}", text)
    for pattern, new in SQL_CHANGES:
        for found in pattern.finditer(code):
            yield Change("sql", start + found.start(), start + found.end(), new)
    for found in re.finditer(rf"(?<=\bAND ){SQL_TERM}|(?<=\bWHERE ){SQL_TERM}", code):
        term = f"({text[found.start() : found.end()]} OR 1 = 1)"
        yield Change("sql", start + found.start(), start + found.end(), term)


# -- Selection ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """The mutants drawn of a package, and what is left out."""

    mutants: list[PythonMutant]
    candidates: int
    same_code: int
    """Candidates passed over in drawing, as Python compiles them to what the original is."""
    log_calls: int
    """Statements that only write to the log."""


def sources_read(root: Path, package: str) -> list[Source]:
    """Read the modules of a package."""
    paths = sorted((root / CORE / package).rglob("*.py"))
    names = [path.relative_to(root).as_posix() for path in paths]
    return [Source(name, (root / name).read_text(encoding="utf-8")) for name in names]


def sample_draw(root: Path, package: str, count: int, seed: int) -> Sample:
    """Draw so many mutants of a package.

    Each mutant has a lot of its own, so that most drawn stay the same when the package changes.
    """
    sources = sources_read(root, package)
    made = sorted(
        ((turn(seed, mutant), source, mutant) for source in sources for mutant in source.mutants()),
        key=lambda each: each[0],
    )
    drawn: list[PythonMutant] = []
    same_code = 0
    for _, source, mutant in made:
        if len(drawn) == count:
            break
        if is_same_code(source.text, mutant.text):
            same_code += 1
        else:
            drawn.append(mutant)
    return Sample(drawn, len(made), same_code, sum(source.log_calls for source in sources))


def turn(seed: int, mutant: Mutant) -> float:
    """Return when a mutant's turn comes: by lot, but earlier if its kind is rare."""
    return -math.log(lot(seed, *mutant.key)) / RARITY[mutant.operator]


def is_same_code(old: str, new: str) -> bool:
    """Tell whether two texts are compiled to the same instructions."""
    return instructions(compile(old, "", "exec", dont_inherit=True)) == instructions(
        compile(new, "", "exec", dont_inherit=True)
    )


def instructions(code: CodeType) -> tuple:
    """Return what a code object does, without the places of its lines."""
    constants = tuple(
        instructions(each) if isinstance(each, CodeType) else (type(each), repr(each))
        for each in code.co_consts
    )
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_exceptiontable
