"""The market of CCERs beside that of allowances: its exchange, and its registry, which delivers."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from cea_exchange.domain.calendar import date_number
from cea_exchange.protocol.security import CurveKeys
from soak.flow import FlowAccount, FlowConfig
from soak.sender import FlowProcess, SoakFailed
from support.ccer.exchange_processes import PRICE_FEN, CcerExchange, P

SIDES = {"SEAWIND": "sell", "A": "buy", "B": "buy"}
TONNES_EACH_COMMAND = 20
"""What the seller has, for each command of all three."""
TONNES_MIN = 1_000_000


class CcerBeside:
    """Two daemons on a folder, and three traders who enter, amend, take and cancel.

    Parameters
    ----------
    data : Path
        A new folder.
    commands : int
        How many all three will send.
    seed : int
    """

    def __init__(self, data: Path, commands: int, seed: int) -> None:
        data.mkdir()
        self.data = data
        tonnes = TONNES_MIN + TONNES_EACH_COMMAND * commands
        self._world = CcerExchange(data, tonnes=tonnes)
        self._seed, self._days = seed, 0
        self._opened = ExitStack()
        self._flow: FlowProcess | None = None

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.enter_context(self._world)
            self._world.listed()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_) -> None:
        if self._flow is not None:
            self._flow.close()
        self._opened.close()

    def processes(self) -> dict[str, int]:
        """Return the ids of both daemons' processes."""
        return {
            "exchange of CCERs": self._world.venue.process.pid,
            "registry of CCERs": self._world.ccer.process.pid,
        }

    # -- a day ------------------------------------------------------------------------------------

    def day_begin(self) -> None:
        """Open the next day; before the first trade buyers bring their cash."""
        self._world.day_begin()
        if self._flow is None:
            for account, side in SIDES.items():
                if side == "buy":
                    self._world.pay_in(account)
            self._flow = self._sender()

    def _sender(self) -> FlowProcess:
        keys = self.data / "keys"
        config = FlowConfig(
            endpoint=self._world.gateway(),
            server_key=CurveKeys.load(keys, "venue").public,
            keys=str(keys),
            accounts=[FlowAccount(name, {P: side}) for name, side in SIDES.items()],
            reference_prices={P: PRICE_FEN},
            seed=self._seed,
            has_blocks=False,
        )
        return FlowProcess(self.data / "sender", config)

    def begin(self, commands: int) -> None:
        """Have so many commands sent."""
        self._flow.begin(commands, date_number(self._world.day))

    def answer(self) -> dict:
        """Return what happened so far, once all are answered."""
        return self._flow.answer()

    def day_end(self) -> None:
        """Close the day; all of it is delivered and confirmed."""
        self._world.day_end()

    # -- the end ----------------------------------------------------------------------------------

    def end(self) -> dict:
        """Hold both against each other and themselves; return what happened in all.

        Raises
        ------
        SoakFailed
            They differ, or a trade was not delivered.
        """
        self.begin(0)
        counts = self.answer()
        if found := self._world.admin(op="cash_reconcile")["differences"]:
            raise SoakFailed(f"cash of CCERs: {found}")
        self._world.stop()
        delivered = sum(state == "posted" for *_, state in self._world.traded())
        if delivered != counts["trades"]:
            raise SoakFailed(f"{counts['trades']} trades of CCERs, {delivered} are delivered")
        if found := self._world.differences():
            raise SoakFailed(f"the registry of CCERs: {found}")
        return counts
