"""Persons of a CCER registry, and a project's life as they ask for it, one request at a time."""

import msgspec

from support.ccer.programme import HASH

PERSONS = {
    "gu": ("Gu Bo", "operator", "ccer"),
    "ma": ("Ma Li", "operator", "ccer"),
    "zhou": ("Zhou Hua", "authority", "authority"),
    "wu": ("Wu Jing", "authority", "authority"),
    "sun": ("Sun Yu", "province", "province 33"),
    "he": ("He Yi", "regulator", "regulator"),
    "li": ("Li Na", "initiator", "account SEAWIND"),
    "wang": ("Wang Wei", "approver", "account SEAWIND"),
    "cai": ("Cai Min", "initiator", "account CQC"),
    "cui": ("Cui Tao", "approver", "account CQC"),
    "shen": ("Shen Hao", "initiator", "account CCSC"),
    "shi": ("Shi Lei", "approver", "account CCSC"),
    "an": ("An Qi", "initiator", "account A"),
    "ao": ("Ao Ran", "approver", "account A"),
}
"""Short name -> name, role, body."""
ACCOUNTS = {
    "SEAWIND": {"kind": "owner", "entity": "Sea Wind Ltd", "province": 33},
    "CQC": {"kind": "vvb"},
    "CCSC": {"kind": "vvb"},
    "A": {"kind": "trader"},
    "B": {"kind": "trader"},
}


class ProgrammeStaff:
    """Asks a CCER registry for acts, each by who may and with whose second it needs.

    Parameters
    ----------
    ask
        Asks one request as somebody: (short name, request) -> answer.
    clock
        The day, which goes on as terms are waited for.
    """

    def __init__(self, ask, clock):
        self._ask, self.clock = ask, clock

    def ask(self, who, op, **terms):
        return self._ask(who, {"op": op, **terms})

    def done(self, who, op, **terms):
        """Ask for what one person does; return the answer."""
        answer = self.ask(who, op, **terms)
        assert answer["ok"], answer
        return answer

    def of_two(self, first, second, op, **terms):
        """Let one person propose and another approve; return the answer of the act."""
        proposal = self.done(first, op, **terms)["proposal"]
        return self.done(second, "approve", proposal=proposal)["answer"]

    def refused(self, who, op, **terms):
        answer = self.ask(who, op, **terms)
        assert not answer["ok"], answer
        return answer["code"]

    # -- a programme's life -----------------------------------------------------------------------

    def accounts(self):
        for name, terms in ACCOUNTS.items():
            self.of_two("gu", "ma", "account_open", account=name, **terms)
        for vvb in ("CQC", "CCSC"):
            licence = {"vvb": vvb, "sector": 1, "from_date": 20240611, "document": "notice 1"}
            self.of_two("gu", "ma", "licence_grant", **licence)

    def term_over(self):
        self.clock.working_days_on(20)
        self.clock.days_on(1)

    def project_validated(self, project="WIND-1"):
        self.done(
            *("li", "project_draft"),
            project=project,
            owner="SEAWIND",
            title=f"Offshore wind, {project}",
            methodology="CCER-01-002",
            started_on=20200301,
            crediting_from=20200923,
            crediting_to=20300922,
        )
        self.of_two(
            *("li", "wang", "project_publish"), project=project, validator="CQC", document=HASH
        )
        self.term_over()
        self.done("cai", "project_validation_begin", project=project)
        self.of_two("cai", "cui", "project_validate", project=project, document=HASH)

    def project_registered(self, project="WIND-1"):
        self.project_validated(project)
        self.of_two("li", "wang", "project_apply", project=project, document=HASH)
        self.of_two("gu", "ma", "project_register", project=project)

    def batch_applied(self, tonnes, project="WIND-1"):
        """Take a batch of whole years to its application; return its number."""
        published = self.of_two(
            *("li", "wang", "batch_publish"),
            project=project,
            verifier="CCSC",
            tonnes=tonnes,
            produced_from=int(min(tonnes)) * 10_000 + 101,
            produced_to=int(max(tonnes)) * 10_000 + 1231,
            document=HASH,
        )
        batch = {"project": project, "batch_number": published["batch_number"]}
        self.term_over()
        self.done("shen", "batch_verification_begin", **batch)
        self.of_two("shen", "shi", "batch_verify", **batch, tonnes=tonnes, document=HASH)
        self.of_two("li", "wang", "batch_apply", **batch, document=HASH)
        return published["batch_number"]

    def batch_issued(self, tonnes, project="WIND-1"):
        number = self.batch_applied(tonnes, project)
        return self.of_two("gu", "ma", "batch_issue", project=project, batch_number=number)

    def cancelled(self, tonnes, account="SEAWIND", instrument="WIND-1-2022", **use):
        """Let CCERs end; return the certificate and the proofs."""
        use = use or {"purpose": "national_ets", "beneficiary": "P001", "compliance_year": 2024}
        first, second = ("li", "wang") if account == "SEAWIND" else ("an", "ao")
        applied = self.of_two(
            *(first, second, "cancellation_apply"),
            account=account,
            instrument=instrument,
            tonnes=tonnes,
            **use,
        )
        number = applied["cancellation_id"]
        return self.of_two("gu", "ma", "cancellation_approve", cancellation_id=number)


def in_process(service, clock, keys=None):
    """Return a caller of a service of this process, with everybody's key known to it."""
    keys = keys or {who: chr(65 + place) * 40 for place, who in enumerate(PERSONS)}

    def ask(who, request):
        return service.reply(keys[who], msgspec.msgpack.encode(request)).answer.by_ok()

    for who, (name, role, body) in PERSONS.items():
        if keys[who] not in service.services.persons.operators:
            service.services.persons.enter(name, keys[who], role, body)
    return ProgrammeStaff(ask, clock)
