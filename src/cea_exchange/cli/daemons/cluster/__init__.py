"""`cea-exchange cluster`: a venue that several machines share, and the log that it is in."""

import tempfile
import time
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer

from cea_exchange.cli.acts.venue import answer, done
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.daemons.cluster import demo, log, way_in
from cea_exchange.cli.errors import CheckFailed, bad_input, check_failed
from cea_exchange.cli.options import ADMIN, Data, Json, Key, PlainJson, Why
from cea_exchange.cli.output import fields_print, json_print, rows_table

PANELS = {
    "The nodes": ("status", "handover"),
    "Between two days": ("join", "leave"),
    "What was recorded": ("verify",),
    "The way in, the log, and a trial": ("way-in", "log", "demo"),
}
Config = Annotated[Path, typer.Option("--config", help="The venue's settings (TOML).")]
SILENT_S = 5.0
"""A node that said nothing for so long is shown as silent."""
ASK_S_MAX = 15.0


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = CommandLine(PANELS)
    for command in (status, handover, join, leave, verify):
        group.command(command.__name__)(command)
    log.register(group)
    way_in.register(group)
    demo.register(group)
    app.add_typer(group, name="cluster", help="A venue of several machines, and its log.")


def status(config: Config, data: Data, json: PlainJson = False) -> None:
    """Say who leads, and of each node the epoch, how far it is behind, its hash and its disk.

    Example: cea-exchange cluster status --config venue.toml
    """
    shown = _standing(config, data)
    if json:
        json_print(shown)
        return
    log, nodes = shown["log"], shown.pop("nodes")
    fields_print(
        {
            "leader": shown["leader"] or "nobody",
            "epoch": shown["epoch"],
            "log": f"message {log['last_log_seq']}, {log['bytes']} bytes, leader {log['leader']}",
        },
        json=False,
    )
    typer.echo(rows_table(nodes, none="no node has said anything yet"))


def handover(
    node: Annotated[str, typer.Argument(help="The standby that is to lead.")],
    config: Config,
    data: Data,
    why: Why = "",
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Let a standby lead: the leader ends what it is at, and is started again as a standby.

    Example: cea-exchange cluster handover two --config venue.toml --why "upgrade of one"
    """
    endpoints = _leader_endpoints(config, data)
    request = {"op": "cluster_handover", "node": node, "why": why}
    # Who asks an elsewhere running daemon needs a folder with a copy of its endpoints.
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "venue"
        place.mkdir()
        (place / "endpoints.json").write_text(dumps(endpoints))
        keys = data / "keys" / key if key == Path(key.name) else key
        fields = answer(Path(folder), keys, request, json)
    if json:
        json_print(fields)
        return
    typer.echo(done(fields))


def join(config: Config, data: Data, json: Json = False) -> None:
    """Give the venue's journal to the log of its settings' [cluster]; no day may be open.

    The venue must not run. Other nodes begin with a backup of this one, see protocol/cluster.md.

    Example: cea-exchange cluster join --config venue.toml
    """
    from cea_exchange.venue.replication import membership

    _moved(membership.join, config, data, json)


def leave(config: Config, data: Data, json: Json = False) -> None:
    """Take the venue's journal out of the log: this folder has it alone; no day may be open.

    No node may run. The others' folders can be given up, or kept as copies.

    Example: cea-exchange cluster leave --config venue.toml
    """
    from cea_exchange.venue.replication import membership

    _moved(membership.leave, config, data, json)


def verify(config: Config, data: Data, json: Json = False) -> None:
    """Check every message of the log, and compare its frames with the journal here.

    Changes nothing, and the venue may run. `cea-exchange verify` replays the journal itself.

    Example: cea-exchange cluster verify --config venue.toml
    """
    from cea_exchange.cluster.errors import ClusterRefused, LogUnreachable
    from cea_exchange.journal import JournalError
    from cea_exchange.protocol.settings import ConfigError
    from cea_exchange.venue.config import config_load
    from cea_exchange.venue.replication import membership

    with (
        check_failed(ClusterRefused, JournalError, LogUnreachable),
        bad_input(ConfigError),
    ):
        compared = membership.compare(config_load(config), data)
    fields_print(compared._asdict(), json)


def _moved(move: Any, config: Path, data: Path, json: bool) -> None:
    from cea_exchange.cluster.errors import ClusterRefused, Halted, LogUnreachable
    from cea_exchange.domain.profile import ProfileError
    from cea_exchange.journal import JournalError, JournalFull
    from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock
    from cea_exchange.protocol.settings import ConfigError
    from cea_exchange.venue.config import config_load
    from cea_exchange.venue.market.state_machine import StateDiverged

    failures = (ClusterRefused, Halted, JournalError, JournalFull, LogUnreachable, StateDiverged)
    with (
        check_failed(*failures, says="nothing was changed: "),
        bad_input(ConfigError, FolderInUse, ProfileError),
        FolderLock(data, "venue.lock"),
    ):
        joined = move(config_load(config), data)
    fields_print(joined._asdict(), json)


def _standing(config: Path, data: Path) -> dict[str, Any]:
    """Return where the cluster stands, as the log and the nodes say."""
    import msgspec

    from cea_exchange.cluster.connection import LogConnection
    from cea_exchange.cluster.errors import ClusterRefused, LogUnreachable
    from cea_exchange.cluster.lease import leader_read
    from cea_exchange.cluster.node_state import node_states
    from cea_exchange.cluster.replicated_log import log_info

    with (
        check_failed(ClusterRefused, LogUnreachable),
        LogConnection(_cluster_of(config), data) as connection,
    ):
        info = connection.call(log_info(connection), ASK_S_MAX)
        if info is None:
            raise CheckFailed(f"there is no stream {connection.config.stream}")
        record = leader_read(connection)
        states = connection.call(node_states(connection), ASK_S_MAX)
    nodes = []
    for state in states:
        fields = msgspec.structs.asdict(state)
        age_s = (time.time_ns() - fields.pop("now_ns")) / 1e9
        for name in ("incarnation", "profile_hash"):
            fields.pop(name)
        is_silent = age_s > SILENT_S and state.state in ("leader", "standby")
        nodes.append({**fields, "said_s_ago": round(age_s, 1), "is_silent": is_silent})
    return {
        "leader": record.node if record is not None and record.epoch else "",
        "epoch": max((state.epoch for state in states), default=0),
        "log": {
            "last_log_seq": info.last_log_seq,
            "bytes": info.bytes,
            "leader": info.leader,
            "replicas": list(info.replicas),
        },
        "nodes": nodes,
    }


def _leader_endpoints(config: Path, data: Path) -> dict[str, Any]:
    """Return where the leader is to be asked, as it says itself."""
    from cea_exchange.cluster.connection import LogConnection
    from cea_exchange.cluster.errors import ClusterRefused, LogUnreachable
    from cea_exchange.cluster.lease import leader_read

    with (
        check_failed(ClusterRefused, LogUnreachable),
        LogConnection(_cluster_of(config), data) as connection,
    ):
        record = leader_read(connection)
    if record is None or not record.endpoints:
        raise CheckFailed("nobody leads: see `cea-exchange cluster status`")
    return record.endpoints


def _cluster_of(config: Path) -> Any:
    from cea_exchange.protocol.settings import ConfigError
    from cea_exchange.venue.config import config_load

    with bad_input(ConfigError):
        cluster = config_load(config).cluster
    if cluster is None:
        raise CheckFailed(f"{config}: expected a table [cluster], got none")
    return cluster
