"""The registry beside a platform's rehearsal, which `platform rehearse` makes and runs."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cea_exchange.control_plane.signals import module_command
from cea_exchange.platform.rehearsal import CREDIT_CODE, NOW, YEAR, ZHEJIANG
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore

ACCOUNT, PRODUCT = "P001", f"CEA{YEAR % 100}"
REFERENCE_PRICE_FEN = 9_749
STOP_S = 20
SETTINGS = f"""# The rehearsal's registry: see platform.toml.
second_person = []
fronts = 0

[platform]

[clock]
kind = "manual"
start = "{NOW}"

[[operators]]
name = "An Qi"
key = "keys/an.public"
"""


def registry_prepare(folder: Path) -> None:
    """Let a rehearsal's registry have the firm's account; what is there already stays as it is."""
    if not (folder / "keys" / "venue.public").exists():
        CurveKeys.new().save(folder / "keys", "venue")
    if (folder / "registry.toml").exists():
        return
    with Registry(RegistryStore.open(folder)) as registry, registry.transaction():
        registry.product_declare(PRODUCT, REFERENCE_PRICE_FEN)
        registry.account_open(
            ACCOUNT, entity="Power 1", credit_code=CREDIT_CODE, province=ZHEJIANG, sector="power"
        )
    (folder / "registry.toml").write_text(SETTINGS, encoding="utf-8")


@contextmanager
def registry_running(folder: Path, log_level: str) -> Iterator[None]:
    """Run the registry as a process of its own while what is within lasts."""
    command = ("registry", "serve", "--config", folder / "registry.toml", "--data", folder)
    process = subprocess.Popen(
        module_command("cea_exchange.cli.main", *map(str, command), "--log-level", log_level)
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(STOP_S)
