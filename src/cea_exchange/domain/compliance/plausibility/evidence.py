"""Second sources, documents, and when and how figures were filed and altered."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np

from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.compliance.deadlines.calendar import filing_due
from cea_exchange.domain.compliance.plausibility.filings import (
    Column,
    Filings,
    present,
    rows_where,
    written,
)
from cea_exchange.domain.compliance.plausibility.findings import Finding
from cea_exchange.domain.compliance.plausibility.limits import Source, limits

_HUNDRED_PERCENT = 10_000


def second_sources(filings: Filings) -> Iterator[Finding]:
    """Find figures that a second source contradicts: invoices, stocks, forms, settlement, lab.

    Notes
    -----
    Rules: CEA-VER-04.
    """
    for source in limits().source:
        of_source = [name for name in filings.columns if name.startswith(f"{source.source}:")]
        for other_name in of_source:
            name = other_name.partition(":")[2]
            if name.partition(".")[0] not in source.codes:
                continue
            filed, other = filings.column(name), filings.column(other_name)
            there = present(filed, other)
            for row in rows_where(there & _apart(filed, other, source)):
                yield filings.finding(
                    row,
                    f"against_{source.source}",
                    source.rule,
                    name,
                    filings.text(name, row),
                    f"{filings.text(other_name, row)} by {source.source.replace('_', ' ')}"
                    f" {filings.document(other_name, row)}".rstrip(),
                )


def _apart(filed: Column, other: Column, source: Source) -> Column:
    difference = np.where(present(filed, other), filed - other, 0)
    scaled = np.where(present(other), other, 0) * source.within_bp
    below = -difference * _HUNDRED_PERCENT > scaled
    above = difference * _HUNDRED_PERCENT > scaled
    return {"below": below, "above": above, "either": below | above}[source.side]


def copied_evidence(filings: Filings) -> Iterator[Finding]:
    """Find documents that were filed for more than one unit or month.

    Notes
    -----
    One document may show several figures of a unit's month.

    Rules: CEA-VER-08.
    """
    first = np.full(len(filings.document_names), len(filings.unit), np.int64)
    for column in filings.documents.values():
        rows = np.flatnonzero(column >= 0)
        np.minimum.at(first, column[rows], rows)
    found: set[tuple[int, int]] = set()
    for name, column in filings.documents.items():
        rows = np.flatnonzero(column >= 0)
        for row in (int(each) for each in rows[first[column[rows]] != rows]):
            document, origin = int(column[row]), int(first[column[row]])
            if (document, row) in found:
                continue
            found.add((document, row))
            unit, month = filings.units[filings.unit[origin]].name, filings.month[origin]
            yield filings.finding(
                row,
                "copied_evidence",
                "CEA-VER-08",
                name,
                f"document {filings.document_names[document]}",
                f"one of its own: that one was filed for {unit}, {month}",
            )


def spliced_evidence(filings: Filings) -> Iterator[Finding]:
    """Find documents of which a page stands in another document too.

    Notes
    -----
    One finding for a document and month, however many figures it shows.

    Rules: CEA-VER-08.
    """
    spliced = np.array([name in filings.spliced for name in filings.document_names], bool)
    found: set[tuple[int, int]] = set()
    for name, column in filings.documents.items():
        rows = np.flatnonzero(column >= 0)
        for row in rows[spliced[column[rows]]].tolist():
            document = int(column[row])
            if (document, row) in found:
                continue
            found.add((document, row))
            digest = filings.document_names[document]
            yield filings.finding(
                row,
                "spliced_evidence",
                "CEA-VER-08",
                name,
                f"document {digest}",
                f"pages of its own: one of them stands in {filings.spliced[digest]}",
            )


def missing_evidence(filings: Filings) -> Iterator[Finding]:
    """Find measured figures without a document.

    Notes
    -----
    Rules: CEA-VER-08, CEA-MRV-04.
    """
    for code in limits().evidenced:
        for name in filings.names(code):
            measured = present(filings.column(name)) & ~filings.defaults[name]
            for row in rows_where(measured & (filings.documents[name] < 0)):
                yield filings.finding(
                    row,
                    "missing_evidence",
                    "CEA-VER-08",
                    name,
                    f"{filings.text(name, row)} without a document",
                    "a document that shows it",
                )


def late_filing(filings: Filings) -> Iterator[Finding]:
    """Find months filed behind their last day.

    Notes
    -----
    Rules: CEA-MRV-01, CEA-MRV-02, CEA-MRV-09.
    """
    last = _last_days(filings)
    for row in rows_where(filings.filed_on > last):
        yield filings.finding(
            row,
            "late_filing",
            "CEA-MRV-09",
            "month",
            f"filed on {date_of_number(int(filings.filed_on[row]))}",
            f"by {date_of_number(int(last[row]))}",
        )


def _last_days(filings: Filings) -> Column:
    """Return the last day to file of each row, as its sector has it."""
    sectors = sorted({facts.sector for facts in filings.units})
    sector = np.array([sectors.index(facts.sector) for facts in filings.units], np.int64)
    keys = sector[filings.unit] * 1_000_000 + filings.month
    known, where = np.unique(keys, return_inverse=True)
    days = [
        date_number(filing_due(sectors[key // 1_000_000], *divmod(key % 1_000_000, 100)))
        for key in known.tolist()
    ]
    last: Column = np.array(days, np.int64)[where]
    return last


def altered_figures(filings: Filings) -> Iterator[Finding]:
    """Find figures replaced without a reason, without a new document, or long after their month.

    Notes
    -----
    Rules: CEA-MRV-08, CEA-VER-08.
    """
    last = _last_days(filings)
    for each in filings.alterations:
        row, name = each.row, each.parameter
        wrong = [] if each.reason.strip() else ["no reason"]
        if not each.document:
            wrong.append("no document")
        due = date_of_number(int(last[row])) + timedelta(days=365)
        if each.filed_on > date_number(due):
            wrong.append("more than a year after it was due")
        if wrong:
            yield filings.finding(
                row,
                "altered_figures",
                "CEA-MRV-08",
                name,
                f"{written(each.before, name)} made {written(each.after, name)} in version"
                f" {each.version}, with {', '.join(wrong)}",
                "a reason, and a document that shows the new figure",
            )


def method_fallen(filings: Filings) -> Iterator[Finding]:
    """Find defaults where the unit measured before: a better source exists and is not used.

    Notes
    -----
    Rules: CEA-VER-07, CEA-STE-07, CEA-PWR-09.
    """
    for name, defaults in filings.defaults.items():
        there = present(filings.column(name))
        measured = there & ~defaults
        ever = np.zeros(len(filings.units), np.int64)
        np.maximum.at(ever, filings.unit[measured], 1)
        first = np.full(len(filings.units), 999_999, np.int64)
        np.minimum.at(first, filings.unit[measured], filings.month[measured])
        fallen = there & defaults & (first[filings.unit] < filings.month)
        for row in rows_where(fallen & (ever[filings.unit] == 1)):
            yield filings.finding(
                row,
                "method_fallen",
                "CEA-VER-07",
                name,
                f"default {filings.text(name, row)}",
                f"measured, as in {first[filings.unit[row]]}",
            )
