"""CCER registry and allowance registry in one process, on one day, and what goes between them."""

from cea_exchange.protocol.links.ccer import LinkAnswer
from support.ccer.programme import (
    DayClock,
    accounts_opened,
    batch_issued,
    project_registered,
    registry_open,
)
from support.registry.compliance_world import World


class TakenBack(Exception):
    """The ledger is to be as it was."""


def link_answer(ccer, question):
    """Return what the CCER registry answers."""
    answers = tuple(ccer.proofs.claim(claim) for claim in question.claims)
    items = ccer.proofs.items(question.first_proof_seq)
    return LinkAnswer(last_proof_seq=ccer.proofs.last_seq(), items=items, answers=answers)


class Both:
    """The two registries, on one day."""

    def __init__(self, folder):
        self.folder, self.clock = folder, DayClock()
        self.ccer = registry_open(folder, self.clock)
        accounts_opened(self.ccer)
        project_registered(self.ccer, self.clock)
        batch_issued(self.ccer, self.clock, {2022: 10_000})
        self.clock.day = 20251101
        self._world_open()
        self.world.entity("P001")
        self.world.entity("P002")
        self.world.owe(2024, ("P001", 40_000), ("P002", 40_000))

    def _world_open(self):
        self.world = World(self.folder)
        self.proofs = self.world.registry.ccer_proofs
        self.world.registry.offsets.by_link_only = True

    def begin_anew(self):
        """Let both processes end and begin."""
        self.__exit__()
        self.ccer = registry_open(self.folder, self.clock)
        self._world_open()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.ccer.close()
        self.world.registry.close()

    def cancel(self, tonnes=1_000, entity="P001", year=2024):
        number = self.ccer.cancellations.apply(
            *("SEAWIND", "WIND-1-2022", tonnes),
            purpose="national_ets",
            beneficiary=entity,
            compliance_year=year,
        )
        (made,) = self.ccer.cancellations.approve(number)["proofs"]
        return made

    def talk(self, times=1):
        for _ in range(times):
            self.proofs.take(link_answer(self.ccer, self.proofs.question()))

    def offset(self, entity="P001"):
        return self.world.registry.obligations.standing(entity, 2024).status.offset

    def states(self):
        return {each["proof"]: each["state"] for each in self.proofs.listed()}
