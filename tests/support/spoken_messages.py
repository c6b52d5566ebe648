"""What a module's errors say, read from its source: each a text with braces for its values."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

HELPERS = {
    *("error", "_header_error", "refuse", "refused", "file_used", "bad_input", "check_failed"),
    *("not_connected", "PartError", "_unreadable", "add"),
}
"""Functions that make an error of what they are given, or put it into one."""
INTERNAL = {"AssertionError", "NotImplementedError", "AttributeError", "HTTPException"}
"""Errors that no input of a command causes: faults of the program, and answers to a browser."""


_TABLE = re.compile(r"\w+ \(\w+(, \w+)+\)")
"""A table with its columns, as SQL has it."""


def messages_of(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of what may come to an error's words; of what is no sentence, nothing."""
    nodes = [*ast.walk(ast.parse(source))]
    silent = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.JoinedStr | ast.BinOp) or _is_said(node):
            silent |= {id(part) for part in ast.walk(node) if part is not node}
    found: dict[tuple[int, str], None] = {}
    for node in _places(nodes):
        for text in _texts(node):
            if id(text) not in silent and _is_prose(said := _whole(_with_braces(text))):
                found[text.lineno, said] = None
    yield from sorted(found)


def messages_below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield (module, text) of what may come to the words of errors of all modules of a folder."""
    for path in sorted(folder.rglob("*.py")):
        for _, text in messages_of(path.read_text(encoding="utf-8")):
            yield path, text


def _places(nodes: list[ast.AST]) -> Iterator[ast.AST]:
    """Yield what words of errors stand in."""
    for node in nodes:
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            if _name(node.exc.func) not in INTERNAL:
                yield from _arguments(node.exc)
        elif isinstance(node, ast.Call) and _name(node.func) in HELPERS:
            yield from _arguments(node)
        elif isinstance(node, ast.FunctionDef):
            yield from _raised_later(node)
        elif isinstance(node, ast.Constant | ast.JoinedStr) and "xpected " in _with_braces(node):
            yield node


def _raised_later(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """Yield what is given a name in a function that stands in an error it raises, or returns."""
    parts = [*ast.walk(function)]
    raised = {
        each.id
        for part in parts
        if isinstance(part, ast.Raise)
        or (isinstance(part, ast.Call) and _name(part.func) == "refused")
        for each in ast.walk(part)
        if isinstance(each, ast.Name)
    }
    for part in parts if raised else ():
        if isinstance(part, ast.Assign | ast.AugAssign):
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            if raised & {each.id for target in targets for each in _names(target)}:
                yield part.value


def _names(target: ast.expr) -> Iterator[ast.Name]:
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    yield from (part for part in parts if isinstance(part, ast.Name))


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args
    yield from (keyword.value for keyword in call.keywords)


def _is_said(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) in ("say", "said", "word")


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _texts(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the texts that an expression may be; what stands in the braces of one is no own."""
    if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Constant):
        yield node
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    elif isinstance(node, ast.BoolOp | ast.Tuple | ast.List):
        for each in ast.iter_child_nodes(node):
            yield from _texts(each)


def _with_braces(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_with_braces, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _with_braces(node.left) + _with_braces(node.right)
    return "'{}'" if isinstance(node, ast.FormattedValue) and node.conversion == ord("r") else "{}"


def _whole(text: str) -> str:
    """Return a text with braces where another one is put before it, or behind it."""
    return "{}" * text.startswith((", ", "; ")) + text + "{}" * text.endswith(" ")


def _is_prose(text: str) -> bool:
    words = [word for word in text.replace("{}", " ").split() if word.strip(":,;.()'").isalpha()]
    return len(words) > 1 and not _TABLE.fullmatch(text)


# -- What is left of the English -------------------------------------------------------------------

_NAMES = re.compile(
    r"`[^`]*`|'[^']*'|\"[^\"]*\"|\{[^{}]*\}|pip install ?\S+|GRANT \w+ TO|--\S+ \w+"
)
_FUNCTION_WORDS = (
    *("the", "a", "an", "of", "to", "in", "at", "for", "and", "or", "is", "was", "are", "were"),
    *("not", "by", "with", "from", "that", "which", "its", "it", "got", "had", "has", "than", "as"),
    *("must", "be", "none", "twice", "again", "behind", "before", "expected"),
)
_ENGLISH = re.compile(
    rf"[A-Za-z][a-z'-]* [a-z][a-z'-]+|\b(?:{'|'.join(_FUNCTION_WORDS)})\b(?![-_./:：\[])"
)


def english_left(said: str) -> list[str]:
    """Return what is English in a Chinese sentence beside names, quotations and identifiers."""
    return _ENGLISH.findall(_NAMES.sub("", said))


def filled(text: str) -> tuple[str, list[str]]:
    """Return a text with values in its braces that are no word of any language, and the values."""
    first, *pieces = text.split("{}")
    values = [f"⟨{place}⟩" for place in range(len(pieces))]
    return first + "".join(map("".join, zip(values, pieces, strict=True))), values
