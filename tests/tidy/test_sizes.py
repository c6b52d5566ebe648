"""Folders stay small: modules in a folder, lines in a module."""

from pathlib import Path

from support.places import ROOT

MODULES_MAX = 15
LINES_MAX = 700
REASON = "Long, because "
FIRST_LINES = 16


def modules_of(folder: Path) -> list[Path]:
    """Return the Python and Cython modules below a folder."""
    return sorted(path for kind in ("*.py", "*.pyx") for path in folder.rglob(kind))


SOURCES = [path for name in ("src", "tests", "bench") for path in modules_of(ROOT / name)]

# -- Folders ---------------------------------------------------------------------------------------


def folder_sizes(modules: list[Path]) -> dict[str, int]:
    """Return how many modules each folder has; its `__init__` is the folder itself."""
    sizes: dict[str, int] = {}
    for path in modules:
        if not path.name.startswith("__"):
            folder = path.parent.relative_to(ROOT).as_posix()
            sizes[folder] = sizes.get(folder, 0) + 1
    return sizes


def too_large(sizes: dict[str, int]) -> list[str]:
    """Name folders with more modules than they may have."""
    return [
        f"{folder}: {size} modules, more than {MODULES_MAX}"
        for folder, size in sorted(sizes.items())
        if size > MODULES_MAX
    ]


def test_no_folder_has_more_than_15_modules() -> None:
    sizes = folder_sizes(SOURCES)
    assert too_large(sizes) == []


def test_a_folder_too_large_is_noticed() -> None:
    sizes = folder_sizes([ROOT / "tests" / "new" / f"test_{n}.py" for n in range(16)])
    assert too_large(sizes) == ["tests/new: 16 modules, more than 15"]


def test_the_readme_shows_each_folder_of_the_package() -> None:
    tree = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Where things live")[2]
    package = ROOT / "src" / "cea_exchange"
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    assert {name for name in folders if f"\n  {name}/" not in tree} == set()


# -- Lines -----------------------------------------------------------------------------------------


def long_without_reason(name: str, text: str, lines_max: int) -> list[str]:
    """Name a module that is too long and does not say why at its beginning."""
    lines = text.splitlines()
    if len(lines) <= lines_max or any(REASON in line for line in lines[:FIRST_LINES]):
        return []
    return [f"{name}: {len(lines)} lines, more than {lines_max}, and no `{REASON}`"]


def test_no_module_has_more_than_700_lines_without_a_reason() -> None:
    package = ROOT / "src" / "cea_exchange"
    found = []
    for path in SOURCES:
        name = path.relative_to(package if package in path.parents else ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        found += long_without_reason(name, text, LINES_MAX)
    assert found == []


def test_a_module_too_long_is_noticed() -> None:
    text = "x = 1\n" * 701
    assert long_without_reason("x.py", text, LINES_MAX)
    assert not long_without_reason("x.py", f'"""Long, because it must."""\n{text}', LINES_MAX)
