"""A FIX 4.4 acceptor made of QuickFIX, with a small book behind it.

    python quickfix_acceptor.py PORT SESSIONS FOLDER

The engine, its sessions, numbers, resends and checks are QuickFIX's; only what becomes of an order
is here: best price first, then the older one.
"""

import sys
import time
from pathlib import Path

import quickfix as fix

SETTINGS = """[DEFAULT]
ConnectionType=acceptor
SocketAcceptPort={port}
SocketReuseAddress=Y
StartTime=00:00:00
EndTime=00:00:00
UseDataDictionary=N
HeartBtInt=5
SocketNodelay=Y
FileStorePath={folder}
"""
SESSION = """
[SESSION]
BeginString=FIX.4.4
SenderCompID=EXEC
TargetCompID=LOAD{number}
"""


def text(message, tag):
    return message.getField(tag) if message.isSetField(tag) else ""


class Order:
    def __init__(self, session, message):
        self.session = session
        self.own_id = text(message, 11)
        self.symbol, self.side = text(message, 55), text(message, 54)
        self.open, self.done = int(text(message, 38)), 0
        self.price = float(text(message, 44))


class Exchange(fix.Application):
    """Orders by session and ClOrdID, and who rests."""

    def __init__(self):
        super().__init__()
        self.orders = {}
        self.executions = 0
        self.trades = 0

    def onCreate(self, session):
        pass

    def onLogon(self, session):
        pass

    def onLogout(self, session):
        pass

    def toAdmin(self, message, session):
        pass

    def fromAdmin(self, message, session):
        pass

    def toApp(self, message, session):
        pass

    def fromApp(self, message, session):
        kind = message.getHeader().getField(35)
        if kind == "D":
            self.enter(message, session)
        elif kind == "F":
            self.cancel(message, session)
        elif kind == "G":
            self.replace(message, session)

    def enter(self, message, session):
        order = Order(session, message)
        if order.open <= 0:
            self.report(order, "8", "8", {103: "99", 58: "quantity must be above 0"})
            return
        self.report(order, "0", "0")
        self.match(order)
        if not order.open:
            return
        if text(message, 59) in ("3", "4"):
            order.open = 0
            self.report(order, "4", "4")
            return
        self.orders[session.toString(), order.own_id] = order

    def match(self, order):
        sign = 1 if order.side == "1" else -1
        others = sorted(
            (
                each
                for each in self.orders.values()
                if each.symbol == order.symbol
                and each.side != order.side
                and sign * each.price <= sign * order.price
            ),
            key=lambda each: sign * each.price,
        )
        for other in others:
            if not order.open:
                return
            traded = min(order.open, other.open)
            self.trades += 1
            for each in (order, other):
                each.open -= traded
                each.done += traded
                self.report(
                    each,
                    "F",
                    "1" if each.open else "2",
                    {31: f"{other.price:.2f}", 32: str(traded), 880: f"T{self.trades}"},
                )
            if not other.open:
                del self.orders[other.session.toString(), other.own_id]

    def cancel(self, message, session):
        order = self.orders.pop((session.toString(), text(message, 41)), None)
        if order is None:
            self.cancel_reject(message, session)
            return
        order.open = 0
        self.report(order, "4", "4", {41: order.own_id}, own_id=text(message, 11))

    def replace(self, message, session):
        order = self.orders.pop((session.toString(), text(message, 41)), None)
        if order is None:
            self.cancel_reject(message, session)
            return
        before, order.own_id = order.own_id, text(message, 11)
        order.open = max(int(text(message, 38)) - order.done, 1)
        order.price = float(text(message, 44))
        self.report(order, "5", "0", {41: before})
        self.match(order)
        if order.open:
            self.orders[session.toString(), order.own_id] = order

    def report(self, order, what, status, more=None, own_id=None):
        self.executions += 1
        message = fix.Message()
        message.getHeader().setField(fix.BeginString("FIX.4.4"))
        message.getHeader().setField(fix.MsgType("8"))
        fields = {37: f"O{order.own_id}", 11: own_id or order.own_id, 17: f"E{self.executions}",
                  150: what, 39: status, 55: order.symbol, 54: order.side, 151: str(order.open),
                  14: str(order.done), 6: "0"}  # fmt: skip
        for tag, value in {**fields, **(more or {})}.items():
            message.setField(fix.StringField(tag, value))
        fix.Session.sendToTarget(message, order.session)

    def cancel_reject(self, message, session):
        answer = fix.Message()
        answer.getHeader().setField(fix.BeginString("FIX.4.4"))
        answer.getHeader().setField(fix.MsgType("9"))
        for tag, value in {37: "NONE", 11: text(message, 11), 41: text(message, 41), 39: "8",
                           434: "1", 102: "1", 58: "unknown order"}.items():  # fmt: skip
            answer.setField(fix.StringField(tag, value))
        fix.Session.sendToTarget(answer, session)


def main(port, sessions, folder):
    path = Path(folder) / "acceptor.cfg"
    path.write_text(
        SETTINGS.format(port=port, folder=folder)
        + "".join(SESSION.format(number=number) for number in range(int(sessions)))
    )
    settings = fix.SessionSettings(str(path))
    application = Exchange()
    acceptor = fix.SocketAcceptor(application, fix.FileStoreFactory(settings), settings)
    acceptor.start()
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
