"""What is generated from the schema is what the schema says."""

import subprocess
import sys
import tomllib

from support.patience import patience
from support.places import ROOT

GENERATE = ROOT / "protocol" / "schema" / "generate.py"
DAEMONS = ("venue", "institution", "registry", "platform", "ccer", "bank")
GENERATED = (
    "src/cea_exchange/domain/enums.py",
    "src/cea_exchange/domain/records.py",
    "src/cea_exchange/_records.pxd",
    "protocol/records.md",
    "protocol/reasons.md",
    *(f"src/cea_exchange/domain/refusals/{key}.py" for key in DAEMONS),
    *(f"protocol/{key}_refusals.md" for key in DAEMONS),
)
SCHEMA = ("protocol/schema/records.toml", "protocol/schema/refusals.toml")


def check(script):
    command = [sys.executable, str(script), "--check"]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60 * patience()
    )


def test_generated_files_are_up_to_date():
    result = check(GENERATE)
    assert (result.returncode, result.stdout) == (0, ""), result.stdout + result.stderr


def test_the_check_notices_a_changed_file(tmp_path):
    """A copy of the tree with one number changed in a generated file is refused by name."""
    for name in (*GENERATED, *SCHEMA):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    script = tmp_path / "protocol/schema/generate.py"
    script.write_bytes(GENERATE.read_bytes())
    target = tmp_path / GENERATED[0]
    text = target.read_text(encoding="utf-8").replace("SELL = 2", "SELL = 3")
    target.write_text(text, encoding="utf-8")
    result = check(script)
    assert result.returncode == 1
    assert "domain/enums.py differs" in result.stdout


def test_the_version_in_the_code_is_the_schemas():
    from cea_exchange.domain.records import SCHEMA_VERSION

    text = (ROOT / "protocol" / "schema" / "records.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["version"] == SCHEMA_VERSION
