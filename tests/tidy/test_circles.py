"""No circle among modules: each can be read, and tested, before those that import it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.places import ROOT

PACKAGE = ROOT / "src" / "cea_exchange"
TESTS = ROOT / "tests"


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield all statements, however deep; expressions, of which there are most, are left out."""
    for node in body:
        yield node
        for inner in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from statements(getattr(node, inner, []))


def imports_of(text: str, modules: set[str]) -> Iterator[str]:
    """Yield the package's modules that a text imports, wherever it does."""
    for node in statements(ast.parse(text).body):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [
                within if (within := f"{node.module}.{alias.name}") in modules else node.module
                for alias in node.names
            ]
        else:
            continue
        yield from (name for name in names if name in modules)


def import_graph(folder: Path, root: Path) -> dict[str, set[str]]:
    """Return module -> those that it imports, of the modules in a folder below an import root."""
    paths = {module_name(path, root): path for path in folder.rglob("*.py")}
    texts = {name: path.read_text(encoding="utf-8") for name, path in paths.items()}
    modules = {*texts}
    return {name: {*imports_of(text, modules)} - {name} for name, text in texts.items()}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of more than one module, each sorted (Tarjan)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for imported in sorted(graph[module]):
            if imported not in order:
                visit(imported)
                lowest[module] = min(lowest[module], lowest[imported])
            elif imported in stack:
                lowest[module] = min(lowest[module], order[imported])
        if lowest[module] == order[module]:
            at = stack.index(module)
            component, stack[at:] = stack[at:], []
            if len(component) > 1:
                found.append(sorted(component))

    for module in sorted(graph):
        if module not in order:
            visit(module)
    return found


@pytest.mark.parametrize(("folder", "root"), [(PACKAGE, PACKAGE.parent), (TESTS, TESTS)])
def test_modules_import_each_other_in_no_circle(folder, root):
    graph = import_graph(folder, root)
    assert any(graph.values())
    found = circles(graph)
    if found:
        shown = (f"{len(circle)} modules: {', '.join(circle)}" for circle in found)
        pytest.fail("\n".join(("error: a circle of imports", *shown)), pytrace=False)


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": {"b"}, "b": set()}, []),
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}}, [["a", "b"]]),
        (
            {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}},
            [["d", "e"], ["a", "b", "c"]],
        ),
    ],
)
def test_the_search_for_circles_finds_each_whole(graph, expected):
    assert expected == circles(graph)


def test_imports_for_the_type_checker_and_within_functions_count():
    text = (
        "if TYPE_CHECKING:\n    from p.a import Name\n"
        "def f():\n    from p import b\n    import p.c\n    import os\n"
    )
    assert {"p.a", "p.b", "p.c"} == {*imports_of(text, {"p", "p.a", "p.b", "p.c"})}
