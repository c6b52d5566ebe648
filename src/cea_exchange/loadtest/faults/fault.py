"""Faults by name and time, as they are written.

kill:venue@5            killed 5 s after the first command is due, started again at once
kill:venue+2@5          ... 2 s later
pause:registry+1.5@8    stopped for 1.5 s
drop@10                 all connections to the system end
delay:0.05+2@12         for 2 s everything passes 0.05 s later
full_disk+2@15          no room for another byte for 2 s
slow_disk:20+3@18       every sync takes 20 ms more for 3 s
clock_step:30@20        the venue's clock goes 30 s on at once
slow_subscriber+5@22    somebody takes the market data and does not read it
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

_FORM = re.compile(
    r"(?P<name>[a-z_]+)(?::(?P<value>[a-z][a-z_]*|[0-9.]+))?"
    r"(?:\+(?P<lasts>[0-9.]+))?@(?P<at>[0-9.]+)"
)


class FaultError(ValueError):
    """No fault; the message says what was expected."""


class FaultForm(NamedTuple):
    """What may be said of a fault.

    Attributes
    ----------
    value : str
        What stands behind the colon: ``process``, ``number``, or nothing.
    lasts : bool
        Whether it lasts, so that a time behind + is needed, or has a meaning.
    """

    value: str
    lasts: str
    summary: str


FORMS = {
    "kill": FaultForm("process", "may", "kill a process and start it again"),
    "pause": FaultForm("process", "must", "stop a process where it stands for so long"),
    "drop": FaultForm("", "no", "end all connections"),
    "delay": FaultForm("number", "must", "let everything pass so many seconds later"),
    "full_disk": FaultForm("", "must", "no room for another byte"),
    "slow_disk": FaultForm("number", "must", "every sync takes so many milliseconds more"),
    "clock_step": FaultForm("number", "no", "the venue's clock goes so many seconds on"),
    "slow_subscriber": FaultForm("", "must", "somebody takes the market data and reads nothing"),
}
PROXIED = frozenset({"drop", "delay"})
OF_DISK = frozenset({"full_disk", "slow_disk"})


class Fault(NamedTuple):
    """One fault of a run.

    Attributes
    ----------
    at_s : float
        Since the first command was due.
    lasts_s : float
        For so long; 0 if it is over at once.
    """

    name: str
    process: str
    number: float
    at_s: float
    lasts_s: float

    @property
    def text(self) -> str:
        """Return it as people read it."""
        what = self.process or (f"{self.number:g}" if self.number else "")
        lasts = f" for {self.lasts_s:g} s" if self.lasts_s else ""
        return f"{self.name} {what}".rstrip() + lasts


def fault_parse(text: str) -> Fault:
    """Read a fault.

    Raises
    ------
    FaultError
        It is none.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise FaultError(f"fault: expected name[:value][+seconds]@seconds, got {text!r}")
    name = match["name"]
    form = FORMS.get(name)
    if form is None:
        raise FaultError(f"fault: expected one of {', '.join(FORMS)}, got {name!r}")
    value = match["value"] or ""
    is_number = bool(value) and not value[0].isalpha()
    kind = "number" if is_number else "process" if value else ""
    if kind != form.value:
        expected = f"a {form.value}" if form.value else "nothing"
        raise FaultError(f"fault {name}: expected {expected} behind the colon, got {value!r}")
    if (form.lasts == "must") > bool(match["lasts"]) or (form.lasts == "no" and match["lasts"]):
        expected = "+seconds" if form.lasts == "must" else "no +seconds"
        raise FaultError(f"fault {name}: expected {expected}, got {text!r}")
    try:
        number = float(value) if is_number else 0.0
        at_s, lasts_s = float(match["at"]), float(match["lasts"] or 0)
    except ValueError as error:
        raise FaultError(f"fault {text}: expected numbers: {error}") from error
    return Fault(name, "" if is_number else value, number, at_s, lasts_s)


def faults_parse(texts: Sequence[str], *, seconds: float) -> list[Fault]:
    """Read faults and sort them by time; each begins and ends while commands are sent.

    Raises
    ------
    FaultError
        One is none, or is not over before the run is.
    """
    faults = sorted(map(fault_parse, texts), key=lambda fault: fault.at_s)
    for fault in faults:
        if fault.at_s + fault.lasts_s > seconds:
            raise FaultError(
                f"fault {fault.text}: expected it to be over within the run's {seconds:g} s,"
                f" got {fault.at_s + fault.lasts_s:g} s"
            )
    return faults
