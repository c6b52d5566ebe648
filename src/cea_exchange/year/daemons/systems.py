"""Platform, both registries, venue and bank of a year as daemons: see `Systems`.

    step --request, with a key of who asks--> daemon --> answer
    step --wait--> until what the daemons say to each other has come

The ledgers' balances are read as the registries' own commands read them, beside the daemons.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import date
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from cea_exchange.ccer.control.requests import basics as ccer_basics
from cea_exchange.ccer.store import CcerStore
from cea_exchange.control_plane.answers import answer_read
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.institution.control.request import Request
from cea_exchange.institution.control.requests import ClockMove
from cea_exchange.ledger.double_entry import Compartment, Holding
from cea_exchange.ledger.store import Store
from cea_exchange.platform.control.requests import basics as platform_basics
from cea_exchange.platform.store import PlatformStore
from cea_exchange.protocol.security import CurveKeys, public_key_load
from cea_exchange.registry.control.requests import clock as registry_clock
from cea_exchange.registry.control.requests import persons as registry_persons
from cea_exchange.registry.store import RegistryStore
from cea_exchange.year.daemons.bank import DaemonBank
from cea_exchange.year.daemons.ccer_market import DaemonCcerMarket
from cea_exchange.year.daemons.lines import Lines
from cea_exchange.year.daemons.market import DaemonMarket
from cea_exchange.year.daemons.preparing import CCER_EXCHANGE, INSTITUTIONS, KEYS, NAMES, PLAN, noon
from cea_exchange.year.daemons.processes import Processes
from cea_exchange.year.daemons.supervised_venue import DaemonVenue
from cea_exchange.year.daemons.timed_market import TimedMarket
from cea_exchange.year.daemons.venue_operator import VenueOperator
from cea_exchange.year.firms.firm import Firm
from cea_exchange.year.institutions.market import YearFailed
from cea_exchange.year.institutions.systems import Actor, SupervisedVenue, System

_PERSON_ADD = {
    "platform": platform_basics.PersonAdd,
    "registry": registry_persons.PersonAdd,
    "ccer": ccer_basics.PersonAdd,
}
_CLOCK_MOVE: dict[System, type[ClockMove]] = {
    "platform": platform_basics.ClockMove,
    "registry": registry_clock.ClockMove,
    "ccer": ccer_basics.ClockMove,
}


class DaemonSystems(AbstractContextManager["DaemonSystems"]):
    """The systems of a year as daemons on a data folder that is prepared; see `Systems`.

    Parameters
    ----------
    profile
        The market's.
    firms, keys
        Each firm, and the keys that it trades with.
    has_bank
        Whether there is a settlement bank.
    is_supervised
        Whether each order has a time of its own, and the venue's supervisors are at work.

    Attributes
    ----------
    processes : Processes
    market : DaemonMarket
    ccer_market : DaemonCcerMarket
    bank : DaemonBank or None
    supervised : SupervisedVenue or None
    """

    def __init__(
        self,
        data: Path,
        profile: Profile,
        firms: Sequence[Firm],
        keys: Sequence[CurveKeys],
        *,
        has_bank: bool,
        is_supervised: bool,
    ) -> None:
        self._data = data
        names = [name for name in NAMES if name != "bank" or has_bank]
        plan = data / PLAN
        self.processes = processes = Processes(
            data, names, {CCER_EXCHANGE: "venue"}, plan=plan if plan.exists() else None
        )
        asked = (*INSTITUTIONS, "venue")
        server_keys = {name: public_key_load(data / KEYS, name) for name in asked}
        server_keys[CCER_EXCHANGE] = public_key_load(data / CCER_EXCHANGE / KEYS, "venue")
        self._lines = lines = Lines(processes, server_keys)
        self._admin = CurveKeys.load(data / KEYS, "admin")
        asked_by = processes, lines, self._admin, CurveKeys.load(data / KEYS, "second")
        self._persons: dict[tuple[System, Actor], CurveKeys] = {}
        self._request_ids = count(1)
        self._venue = VenueOperator("venue", *asked_by, self.registry_read)
        of_firms = {firm.index: pair for firm, pair in zip(firms, keys, strict=True)}
        market = (self._venue, data, profile, of_firms)
        if is_supervised:
            timed = TimedMarket(*market)
            self.market: DaemonMarket = timed
            self.supervised: SupervisedVenue | None = DaemonVenue(self._venue, timed, data)
        else:
            self.market, self.supervised = DaemonMarket(*market), None
        self.ccer_market = DaemonCcerMarket(
            self,
            VenueOperator(CCER_EXCHANGE, *asked_by, self.ccer_read),
            data / CCER_EXCHANGE,
            self.ccer_read,
        )
        self.bank = DaemonBank(self, data, self._admin) if has_bank else None
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.callback(self._lines.close)
            opened.callback(self.market.close)
            opened.callback(self.ccer_market.close)
            opened.enter_context(self.processes)
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.close()

    # -- asking -----------------------------------------------------------------------------------

    def day_begin(self, day: date) -> None:
        """Let it be noon of a day at every institution."""
        for system in INSTITUTIONS:
            move = _CLOCK_MOVE[system](at=noon(day))
            self.ask(system, _operator(system), move)

    def ask(self, system: System, actor: Actor, request: Request) -> dict[str, Any]:
        """Ask an institution with a person's key; who has none yet is made known first."""
        asked = msgspec.structs.replace(request, request_id=f"year {next(self._request_ids)}")
        payload, keys = msgspec.msgpack.encode(asked), self._keys_of(system, actor)
        while True:
            answer = answer_read(self._lines.ask(system, keys, payload))
            if answer.refusal is None:
                return answer.fields
            if answer.refusal.code != InstitutionRefusal.OUTCOME_UNKNOWN.name:
                raise YearFailed(f"{system}, {request.op}: {answer.refusal.sentence()}")

    def _keys_of(self, system: System, actor: Actor) -> CurveKeys:
        if actor == _operator(system):
            return self._admin
        if (system, actor) not in self._persons:
            keys = CurveKeys.new()
            added = _PERSON_ADD[system](
                name=actor.person, key=keys.public, role=actor.role, **_body_named(actor.body)
            )
            self.ask(system, _operator(system), added)
            self._persons[system, actor] = keys
        return self._persons[system, actor]

    def together(self, system: System) -> AbstractContextManager[None]:
        """Do nothing: each request is a transaction of the daemon's own."""
        return nullcontext()

    # -- waiting ----------------------------------------------------------------------------------

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something that the daemons bring about among themselves."""
        self.processes.wait(condition, what)

    def talk(self) -> None:
        """Wait until registry and platform have said to each other what is new."""
        self.wait(self._has_talked, "platform and registry have exchanged all")

    def _has_talked(self) -> bool:
        with (
            PlatformStore.open_reader(self._data) as platform,
            RegistryStore.open_reader(self._data) as registry,
        ):
            said, judged = (
                platform.one(f"SELECT coalesce(max(link_seq), 0) FROM {table}")
                for table in ("link_items", "link_verdicts")
            )
            if platform.one("SELECT count(*) FROM link_verdicts WHERE is_posted = 0"):
                raise YearFailed("the registry has refused what the platform said")
            reported, heard = (
                store.one(f"SELECT coalesce(max(completion_seq), 0) FROM {table}")
                for store, table in (
                    (registry, "platform_completions"),
                    (platform, "completions"),
                )
            )
        return bool(said == judged and reported == heard)

    def proofs_talk(self) -> None:
        """Wait until both registries have said to each other what is new of proofs."""
        self.wait(self._has_talked_of_proofs, "both registries have exchanged all of proofs")

    def _has_talked_of_proofs(self) -> bool:
        with self.ccer_read() as ccer, self.registry_read() as registry:
            said = ccer.one("SELECT coalesce(max(proof_seq), 0) FROM proof_stream")
            heard = registry.one("SELECT coalesce(max(proof_seq), 0) FROM ccer_items")
            is_open = registry.one("SELECT count(*) FROM ccer_claims WHERE answer IS NULL")
            is_new = registry.one("SELECT count(*) FROM ccer_proofs WHERE state = 'received'")
        return said == heard and not is_open and not is_new

    def feed(self) -> None:
        """Wait until the venue has what the registry sent it, and the registry its answers."""
        self._venue.feed()

    # -- looking ----------------------------------------------------------------------------------

    def balances(self) -> Callable[[Holding], int]:
        """Return the ledger's balances as they are now."""
        with self.registry_read() as registry:
            rows = registry.all(
                "SELECT account_index, asset_index, compartment, amount FROM balances"
                " WHERE account_index >= 0"
            )
        held: Mapping[Holding, int] = {
            Holding(account, asset, Compartment(compartment)): amount
            for account, asset, compartment, amount in rows
        }
        return lambda holding: held.get(holding, 0)

    @contextmanager
    def registry_read(self) -> Iterator[Store]:
        """Open what the registry keeps."""
        with RegistryStore.open_reader(self._data) as store:
            yield store

    @contextmanager
    def ccer_read(self) -> Iterator[CcerStore]:
        """Open what the CCER registry keeps."""
        with CcerStore.open_reader(self._data) as store:
            yield store


def _operator(system: System) -> Actor:
    return Actor("operator", system)


def _body_named(body: str) -> dict[str, Any]:
    """Return the field in which a request to add a person names a body."""
    kind, _, name = body.partition(" ")
    if not name:
        return {}
    return {kind: int(name) if kind in ("province", "city") else name}
