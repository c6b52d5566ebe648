"""The bank in one process: its machine, the ways to it, and its restarts."""

import itertools

import msgspec

from cea_exchange.registry.bank.errands import Brought, Errand
from cea_exchange.registry.bank.requests import AskTruth, OpenAccount, PayIn
from cea_exchange.simulators.bank.faults import FaultRates
from cea_exchange.simulators.bank.machine import BankMachine
from support.bank.persons import CUSTOMER_KEY, OPERATOR_KEY, PERSONS
from support.exchange.simulated_links import NS_PER_MS, Link

ANSWER_WAIT_MS = 700
DOWN_MS = 200


class SimulatedBank:
    """A bank that ends now and then, and is started again on its books.

    Parameters
    ----------
    path
        Of the books.
    seed, faults
        What goes wrong.
    now_s
        The time in whole seconds since 1970.
    """

    machine_class = BankMachine

    def __init__(self, path, seed, faults: FaultRates, time, chance, now_s):
        self._open = lambda: self.machine_class(path, PERSONS, seed, faults)
        self._time, self._now_s = time, now_s
        self._machine = self._open()
        self._down_until_ns = 0
        self._asked = Link(time, chance, lost=50, doubled=50)
        self._answers = Link(time, chance, lost=50)
        self._errands: dict[int, tuple[Errand, int]] = {}
        self._numbers = itertools.count()
        self.restarts = self.unanswered = 0

    # -- a person at the bank's own counter --------------------------------------------------------

    def operate(self, request):
        """Ask as the bank's operator, who stands before it."""
        content = msgspec.msgpack.encode(request)
        answer = self._machine.take(content, key=OPERATOR_KEY, now_s=self._now_s())
        shown = msgspec.msgpack.decode(answer.content)
        assert shown["ok"], shown
        return shown

    def account_open(self, account):
        self.operate(OpenAccount(account=account))

    def pay_in(self, account, cash, business_date, reference):
        self.operate(
            PayIn(
                payment_id=f"I-{account}",
                account=account,
                cash=cash,
                business_date=business_date,
                reference=reference,
            )
        )

    def truth(self):
        return self.operate(AskTruth())

    # -- the registry's courier --------------------------------------------------------------------

    def carry(self, errand: Errand):
        """Send an errand's request on its way."""
        number = next(self._numbers)
        self._errands[number] = (errand, self._time.now_ns + ANSWER_WAIT_MS * NS_PER_MS)
        self._asked.send((number, msgspec.msgpack.encode(errand.request())))

    def back(self):
        """Yield what has come of errands."""
        for number, content in self._answers.arrived():
            if number in self._errands:
                errand, _ = self._errands.pop(number)
                shown = msgspec.msgpack.decode(content)
                yield Brought(errand, shown["content"] if shown["ok"] else shown["error"], True)
        for number, (errand, until_ns) in list(self._errands.items()):
            if self._time.now_ns >= until_ns:
                del self._errands[number]
                self.unanswered += 1
                yield Brought(errand, "no answer", False)

    # -- its turn ----------------------------------------------------------------------------------

    def turn(self):
        """Answer what has arrived, unless it is down."""
        is_down = self._time.now_ns < self._down_until_ns
        for number, content in self._asked.arrived():
            if is_down:
                continue
            answer = self._machine.take(content, key=CUSTOMER_KEY, now_s=self._now_s())
            if answer.content is not None:
                self._answers.send((number, answer.content))
            if answer.is_restart:
                is_down = True
                self._restart()

    def _restart(self):
        self._machine.close()
        self._machine = self._open()
        self._down_until_ns = self._time.now_ns + DOWN_MS * NS_PER_MS
        self.restarts += 1

    def close(self):
        self._machine.close()
