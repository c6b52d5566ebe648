"""The texts of the schema: the files of ``schema/``, in the order of their names."""

from functools import cache
from importlib.resources import files


@cache
def table_texts() -> tuple[str, ...]:
    """Return the statements that create the registry's tables, file by file."""
    found = sorted(files(__package__).joinpath("schema").iterdir(), key=lambda file: file.name)
    return tuple(file.read_text(encoding="utf-8") for file in found)
