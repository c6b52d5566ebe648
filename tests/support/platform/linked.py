"""Platform and registry on one day, linked without sockets: questions and answers as bytes."""

import msgspec

from cea_exchange.protocol.links.platform import answer_decode
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore
from support.platform.platform_world import ZHEJIANG, World, credit_code


class Linked:
    """Both institutions; the registry has the account ``P001`` of the enterprise ``E1``."""

    def __init__(self, folder, databases=(None, None), day=20260110, *, acts_by_hand=False):
        self.world = World(folder, databases[0], day).founded()
        self.platform = self.world.platform
        self.registry = Registry(RegistryStore.open(folder, databases[1]), self.world.now_ns)
        self.registry.platform_follow(acts_by_hand=acts_by_hand)
        self.stream = self.registry.platform_stream
        self.answer = None

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.registry.close()
        self.world.store.close()

    def ask(self):
        """Let the registry ask once; return how many items were new."""
        payload = msgspec.msgpack.encode(self.stream.question(self.answer))
        answer = self.platform.outbox.answer(payload)
        self.answer = answer_decode(msgspec.msgpack.encode(answer))
        return self.stream.take(self.answer)

    def talk(self):
        """Let them talk until nothing is left to say."""
        self.answer = None
        self.ask()
        while self.ask() or self.stream.has_more_to_say(self.answer):
            pass

    def opened(self, *, product="CEA24"):
        """Let the list come, and an account be opened."""
        self.talk()
        self.registry.product_declare(product, 9_000)
        self.registry.account_open(
            "P001",
            entity="Power 1",
            credit_code=credit_code(1),
            province=ZHEJIANG,
            sector="power",
        )

    def refused(self):
        """Return what the registry refused, line by line."""
        return [
            (each["enterprise"], each["code"], each["words"])
            for item in self.platform.outbox.refused()
            for each in item["mismatches"]
        ]

    def held(self, account="P001", product="CEA24"):
        store = self.registry.store
        return sum(
            amount
            for asset, _where, amount in store.balances.of_account(self.registry.account(account))
            if asset == store.product_index(product)
        )
