"""Who stands for whom: works of several firms, mergers, splits, renames."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from cea_exchange.domain.compliance.ruled import ComplianceError, Mark
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.units import tonnes_check


class Firm(Struct, frozen=True, kw_only=True):
    """A legal person of a steelworks.

    Attributes
    ----------
    site
        The contiguous site it stands on.
    linked
        Firms it gives its products to, or takes them from.
    group
        The legal person that leads it.
    """

    name: str
    city: str
    site: str
    group: str
    linked: frozenset[str] = frozenset()


class Complex(Struct, frozen=True, kw_only=True):
    """A steelworks of several firms that reports as one entity."""

    reports: str
    members: tuple[str, ...]
    rule: str = "CEA-ENT-06"


def complex_of(firms: Sequence[Firm]) -> Complex:
    """Return the entity that firms of one steelworks report as.

    Raises
    ------
    ComplianceError
        If they are fewer than two, of several cities, sites or groups, or one has no link to the
        others.

    Notes
    -----
    Rules: CEA-ENT-06.
    """
    names = frozenset(firm.name for firm in firms)
    if len(names) < 2:
        raise ComplianceError(
            RegistryRefusal.CHOICE_UNKNOWN,
            f"firms: expected two or more of one works, got {len(names)} (CEA-ENT-06)",
        )
    for what in ("city", "site", "group"):
        values = sorted({getattr(firm, what) for firm in firms})
        if len(values) > 1:
            raise ComplianceError(
                RegistryRefusal.CHOICE_UNKNOWN,
                f"{what} of the firms: expected one, got {', '.join(values)} (CEA-ENT-06)",
            )
    unlinked = names - _linked(firms)
    if unlinked:
        raise ComplianceError(
            RegistryRefusal.CHOICE_UNKNOWN,
            f"firms: expected each linked to the others, got {', '.join(sorted(unlinked))} alone"
            " (CEA-ENT-06)",
        )
    return Complex(reports=firms[0].group, members=tuple(sorted(names)))


def _linked(firms: Sequence[Firm]) -> frozenset[str]:
    """Return the firms that are reached from the first over links in either direction."""
    reached = {firms[0].name}
    grows = True
    while grows:
        more = {
            firm.name
            for firm in firms
            if firm.linked & reached
            or any(firm.name in each.linked for each in firms if each.name in reached)
        }
        grows = not more <= reached
        reached |= more
    return frozenset(reached)


class Succession(Struct, frozen=True, kw_only=True):
    """A change of legal persons, as the province took note of it.

    Attributes
    ----------
    before, after
        Names. A merger has one after it, a split one before it, a rename one of each.
    parts_bp
        Of a split: what each of `after` takes over, in hundredths of a percent, all together.
    """

    kind: Literal["merger", "split", "rename"]
    before: tuple[str, ...]
    after: tuple[str, ...]
    parts_bp: tuple[int, ...] = ()
    mark: Mark = "decided"


def succeed(succession: Succession, owed: Mapping[str, int]) -> dict[str, int]:
    """Return what everybody owes after a change: what was owed goes to who succeeds.

    Parameters
    ----------
    owed : mapping of str to int
        Tonnes by entity, before.

    Returns
    -------
    dict
        Tonnes by entity, after. Of a split each part is rounded down, and the first of `after` has
        what is left, so that together they owe what was owed.

    Raises
    ------
    ComplianceError
        If names or parts don't fit the kind, or a successor owes something of its own already and
        is no party of a merger.

    Notes
    -----
    Rules: CEA-ENT-12.
    """
    _check(succession, owed)
    rest = {name: tonnes for name, tonnes in owed.items() if name not in succession.before}
    total = sum(tonnes_check(owed.get(name, 0), f"owed by {name}") for name in succession.before)
    parts = succession.parts_bp or (10_000,)
    shares = [total * part // 10_000 for part in parts]
    shares[0] += total - sum(shares)
    rest.update(
        {
            name: rest.get(name, 0) + share
            for name, share in zip(succession.after, shares, strict=True)
        }
    )
    return rest


def _check(succession: Succession, owed: Mapping[str, int]) -> None:
    before, after, parts = succession.before, succession.after, succession.parts_bp
    counts = (len(before), len(after))
    fits = {
        "merger": counts[0] >= 2 and counts[1] == 1,
        "split": counts[0] == 1 and counts[1] >= 2,
        "rename": counts == (1, 1),
    }[succession.kind]
    if not fits or len(set(before)) < counts[0] or len(set(after)) < counts[1]:
        raise ComplianceError(
            RegistryRefusal.CHOICE_UNKNOWN,
            f"{succession.kind}: expected names that fit it, got {', '.join(before)} before and"
            f" {', '.join(after)} after (CEA-ENT-12)",
        )
    expected = counts[1] if succession.kind == "split" else 0
    if len(parts) != expected or (parts and (sum(parts) != 10_000 or min(parts) < 0)):
        raise ComplianceError(
            RegistryRefusal.AMOUNT_UNSOUND,
            f"parts of a {succession.kind}: expected {expected} that are 10000 bp together, got"
            f" {list(parts)} (CEA-ENT-12)",
        )
    taken = [name for name in after if name in owed and name not in before]
    if taken:
        raise ComplianceError(
            RegistryRefusal.NAME_RESERVED,
            f"{succession.kind}: expected new names, got {', '.join(taken)} (CEA-ENT-12)",
        )
