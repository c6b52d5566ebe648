"""Settlement: how far it is, the bank's side, failed trades, defaults, claims, reconciliation."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import Response

from cea_exchange.control_plane.client import NotDone
from cea_exchange.control_plane.signals import module_command
from cea_exchange.screens.access import KeyedSystems
from cea_exchange.screens.control_room.acting import Act, ActsPage, Request
from cea_exchange.screens.control_room.overview import monitor_of
from cea_exchange.screens.control_room.rights import looks_at
from cea_exchange.screens.live.broadcast import Kind
from cea_exchange.screens.page import Page
from cea_exchange.screens.reading import Reading
from cea_exchange.screens.rendering import render
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.site import Site
from cea_exchange.screens.visit import Visit

LOOKS = {
    "statements": "bank_statements",
    "reconciled": "bank_reconcile",
    "unapplied": "bank_unapplied",
    "differences": "bank_differences",
    "failures": "failures",
    "defaults": "default_list",
    "claims": "claim_list",
}
"""What the page shows, and what the registry is asked for it."""
NICE = 10
WORDS_MAX = 4_000


class Reconciled(NamedTuple):
    """What comparing the whole ledger came to.

    Attributes
    ----------
    state
        `none`, `running`, `agrees`, `differs` or `broken`.
    words
        What differs, or why there is no result; the program's own words.
    """

    state: str = "none"
    words: tuple[str, ...] = ()
    at_ns: int = 0


class Reconciling:
    """`registry reconcile`, which reads the whole ledger, in a process of its own.

    Parameters
    ----------
    site
        Whose hub publishes that it is done.
    systems
        Knows where the registry's folder is.
    """

    def __init__(self, site: Site, systems: KeyedSystems) -> None:
        self.last = Reconciled()
        self._site, self._systems = site, systems
        self._task: asyncio.Task[None] | None = None

    @property
    def is_here(self) -> bool:
        """Whether the registry's ledger is on this machine."""
        folder = self._systems.folder("registry")
        return folder is not None and (folder / "registry" / "lock").exists()

    def begin(self) -> None:
        """Begin it, if it does not run already."""
        if self._task is None or self._task.done():
            self.last = Reconciled("running", at_ns=time.time_ns())
            self._site.hub.changed("reconciled")
            self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        folder = self._systems.folder("registry")
        words = module_command("cea_exchange.cli.main", "registry", "reconcile")
        process = await asyncio.create_subprocess_exec(
            *words,
            *("--data", str(folder), "--json"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            # The daemons on this machine come first.
            with contextlib.suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
            output, errors = await process.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise
        self.last = reconciled_read(output, errors, time.time_ns())
        self._site.hub.changed("reconciled")


def reconciled_read(output: bytes, errors: bytes, at_ns: int) -> Reconciled:
    """Return what the program's output says."""
    try:
        found = json.loads(output)
        state = "agrees" if found["agrees"] else "differs"
        return Reconciled(state, tuple(map(str, found["differences"])), at_ns)
    except (ValueError, LookupError, TypeError):
        words = errors.decode("utf-8", "replace")[-WORDS_MAX:].strip()
        return Reconciled("broken", tuple(words.splitlines()[-3:]), at_ns)


def channels_add(site: Site) -> None:
    """Let the hub show how reconciliation is."""

    def fragment(reading: Reading, _part: str) -> str:
        return render("control/reconciled.html", reading, reconciling=site.kept["reconciling"])

    site.hub.kinds["reconciled"] = Kind("reconciled", fragment)


# -- Acts -----------------------------------------------------------------------------------------


def _fetch(form: Form) -> Request:
    day = form.day("business_date", needed=False)
    return {"op": "bank_fetch"} | ({"business_date": int(f"{day:%Y%m%d}")} if day else {})


def _notice(form: Form) -> Request:
    day = form.day("deadline")
    number = form.whole("default_id")
    return {
        "op": "default_notice",
        "default_id": number,
        "deadline": int(f"{day:%Y%m%d}") if day else 0,
    }


def _of_default(op: str) -> Callable[[Form], Request]:
    return lambda form: {"op": op, "default_id": form.whole("default_id")}


def _recover(form: Form) -> Request:
    number, cash = form.whole("default_id"), form.yuan("cash")
    return {"op": "reserve_recover", "default_id": number, "cash": cash}


def _close(form: Form) -> Request:
    number, why = form.whole("unapplied_id"), form.line("why")
    return {"op": "bank_unapplied_close", "unapplied_id": number, "why": why}


ACTS = {
    "fetch": Act(_fetch, ("business_date",)),
    "write": Act(lambda form: {"op": "bank_batches"}),
    "retry": Act(lambda form: {"op": "bank_retry"}),
    "close": Act(_close, ("unapplied_id", "why")),
    "default_retry": Act(lambda form: {"op": "default_retry"}),
    "notice": Act(_notice, ("default_id", "deadline")),
    "reserve": Act(_of_default("reserve_use"), ("default_id",)),
    "recover": Act(_recover, ("default_id", "cash")),
    "claim": Act(lambda form: {"op": "claim_pay", "claim_id": form.whole("claim_id")}),
}


async def _write(visit: Visit, **shown: Any) -> Response:
    found = await asyncio.gather(*(_look(visit, op) for op in LOOKS.values()))
    monitor = monitor_of(visit)
    return visit.show(
        "control/settlement.html",
        live=["status", "reconciled"],
        monitor=monitor,
        registry=monitor.status("registry"),
        looks=dict(zip(LOOKS, found, strict=True)),
        new_form=visit.empty_form,
        reconcile_form=visit.empty_form(),
        reconciling=reconciling_of(visit),
        **shown,
    )


def reconciling_of(visit: Visit) -> Reconciling:
    """Return who compares the whole ledger."""
    reconciling: Reconciling = visit.site.kept["reconciling"]
    return reconciling


async def _look(visit: Visit, op: str) -> dict[str, Any]:
    """Return a look's answer; where it is refused, why as `trouble`."""
    systems = visit.site.systems
    assert systems is not None
    try:
        return await systems.ask("registry", {"op": op})
    except NotDone as error:
        return {"trouble": visit.look_trouble(error)}


async def reconcile_begin(visit: Visit) -> Response:
    """Begin comparing the whole ledger."""
    form, reconciling = await visit.form(), reconciling_of(visit)
    if not reconciling.is_here:
        raise HTTPException(404)

    async def begun() -> Response:
        reconciling.begin()
        return visit.see("/control/settlement#reconcile")

    return await visit.once(form, begun)


SETTLEMENT = ActsPage("/control/settlement", "registry", ACTS, _write)
PAGES = (
    Page(
        path=SETTLEMENT.path,
        name="control_settlement",
        section="control",
        show=SETTLEMENT.show,
        acts=SETTLEMENT.handlers | {"/reconcile": reconcile_begin},
        allowed=partial(looks_at, "registry"),
    ),
)
