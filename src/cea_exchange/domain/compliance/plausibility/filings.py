"""Filed values as columns: a row a unit and month, a column a parameter, exact integers in it.

A parameter of `n` decimals is counted in units of 10^-n, as the guideline rounds it; `MISSING`
stands where nothing was filed. So 900,000 values are compared at once, and no binary fraction is
among them.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

import numpy as np
from msgspec import Struct

from cea_exchange.domain.compliance.accounting.exact import half_up
from cea_exchange.domain.compliance.accounting.guidelines import PARAMETERS
from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.domain.compliance.plausibility.findings import Finding
from cea_exchange.domain.compliance.plausibility.limits import limits

MISSING = np.iinfo(np.int64).min
Column = np.ndarray

_KEY_BASE = 1_000_000
"""A row's key is its unit times this and its month."""
NONE_SPLICED: Mapping[str, str] = MappingProxyType({})
_NO_KEYS = np.zeros(0, np.int64)


class UnitFacts(Struct, frozen=True, kw_only=True):
    """What the checks know of a unit besides its figures.

    Attributes
    ----------
    peers
        Units that it is compared with have the same: the class of a power unit, a kind of plant.
    approved_t_a_day
        Of a clinker line; 0: not known.
    rated_kw
        Of a power unit's generators together, as approved; 0: not known.
    """

    name: str
    sector: Sector
    peers: str
    approved_t_a_day: int = 0
    rated_kw: int = 0


class Filed(Struct, frozen=True, kw_only=True):
    """A value of a unit's month as it was filed.

    Attributes
    ----------
    parameter
        Of the sector's guideline, or an auxiliary one (`moisture.bituminous`), or a second source's
        word on one (`invoice:A.bituminous`).
    document
        Hash of what shows it.
    filed_on
        yyyymmdd.
    reason
        Of a version after the first.
    """

    unit: str
    month: int
    parameter: str
    value: Decimal
    measured: bool = True
    document: str = ""
    filed_on: int = 0
    version: int = 1
    reason: str = ""


class Alteration(Struct, frozen=True, kw_only=True):
    """A value that was replaced: by which version, of which row."""

    row: int
    parameter: str
    before: int
    after: int
    version: int
    filed_on: int
    reason: str
    document: str


class Filings(Struct, frozen=True, kw_only=True):
    """Columns of filed months, rows in the order of units and months.

    Attributes
    ----------
    unit, month
        Of each row: an index into `units`, and yyyymm.
    filed_on
        Of each row the last day for a first version; 0: not known.
    columns, documents, defaults
        By parameter; documents are indexes into `document_names`, -1 none.
    spliced
        Document -> another one that has a page of it.
    """

    units: tuple[UnitFacts, ...]
    unit: Column
    month: Column
    filed_on: Column
    columns: dict[str, Column]
    documents: dict[str, Column]
    defaults: dict[str, Column]
    document_names: tuple[str, ...]
    alterations: tuple[Alteration, ...]
    spliced: Mapping[str, str]

    def names(self, code: str) -> list[str]:
        """Return the columns of a code: `A` has `A.bituminous` and others."""
        return [name for name in self.columns if name == code or name.startswith(f"{code}.")]

    def column(self, name: str) -> Column:
        """Return a column; one that nobody filed is all missing."""
        found = self.columns.get(name)
        return np.full(len(self.unit), MISSING, np.int64) if found is None else found

    def of_sector(self, *sectors: Sector) -> Column:
        """Return which rows are of units of some sectors."""
        return np.array([facts.sector in sectors for facts in self.units], bool)[self.unit]

    def following(self) -> Column:
        """Return which rows are the month after the row before them, of the same unit."""
        follows = np.zeros(len(self.unit), bool)
        month = self.month[1:] // 100 * 12 + self.month[1:] % 100
        before = self.month[:-1] // 100 * 12 + self.month[:-1] % 100
        follows[1:] = (self.unit[1:] == self.unit[:-1]) & (month == before + 1)
        return follows

    def text(self, name: str, row: int) -> str:
        """Return a filed value with its unit, as it was filed."""
        return written(int(self.column(name)[row]), name)

    def document(self, name: str, row: int) -> str:
        """Return the hash of the document of a filed value."""
        index = int(self.documents[name][row]) if name in self.documents else -1
        return self.document_names[index] if index >= 0 else ""

    def finding(
        self, row: int, detector: str, rule: str, figure: str, found: str, expected: str
    ) -> Finding:
        """Return a finding of a row; the document is the figure's."""
        return Finding(
            unit=self.units[self.unit[row]].name,
            month=int(self.month[row]),
            detector=detector,
            figure=figure,
            found=found,
            expected=expected,
            rule=rule,
            document=self.document(figure, row),
        )


def present(*columns: Column) -> Column:
    """Return which rows have a value in all of some columns."""
    there = columns[0] != MISSING
    for column in columns[1:]:
        there = there & (column != MISSING)
    return there


def rows_where(mask: Column) -> list[int]:
    """Return the rows of a mask."""
    rows: list[int] = np.flatnonzero(mask).tolist()
    return rows


def base_name(name: str) -> str:
    """Return the parameter that a second source speaks of; any other is itself."""
    return name.partition(":")[2] or name


def decimals_of(name: str) -> int:
    """Return in how many decimals a parameter is counted.

    Raises
    ------
    ValueError
        If no guideline has such a parameter.
    """
    return _known(name)[0]


def unit_of(name: str) -> str:
    """Return the unit of a parameter."""
    return _known(name)[1]


def _known(name: str) -> tuple[int, str]:
    base = base_name(name)
    for parameters in PARAMETERS.values():
        if base in parameters:
            return parameters[base].decimals, parameters[base].unit
    auxiliary = limits().auxiliary.get(base.partition(".")[0])
    if auxiliary is None:
        raise ValueError(
            f"parameter: expected one of a guideline or an auxiliary one, got {name!r}"
        )
    return auxiliary.decimals, auxiliary.unit


def is_filed(name: str) -> bool:
    """Tell whether a quantity is one that is filed; others are only computed."""
    try:
        _known(name)
    except ValueError:
        return False
    return True


def written(counted: int, name: str) -> str:
    """Return a counted value as text with its unit."""
    decimals, unit = _known(name)
    return f"{Decimal(counted).scaleb(-decimals):f} {unit}"


class _Values:
    """The versions of one parameter's values as they come."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.decimals = decimals_of(name)
        self.key, self.counted = array("q"), array("q")
        self.version, self.document, self.filed_on = array("i"), array("i"), array("i")
        self.default = array("b")
        self.reasons: dict[tuple[int, int], str] = {}

    def add(self, key: int, filed: Filed, document: int) -> None:
        """Take one version of a value."""
        self.key.append(key)
        self.counted.append(int(half_up(filed.value, self.decimals).scaleb(self.decimals)))
        self.version.append(filed.version)
        self.document.append(document)
        self.filed_on.append(filed.filed_on)
        self.default.append(not filed.measured)
        if filed.reason:
            self.reasons[key, filed.version] = filed.reason


def gather(
    units: Sequence[UnitFacts], filed: Iterable[Filed], spliced: Mapping[str, str] = NONE_SPLICED
) -> Filings:
    """Return filed values as columns; of several versions the last counts.

    Parameters
    ----------
    spliced
        Document -> another one that has a page of it, where such are known.

    Raises
    ------
    ValueError
        If a value is of an unknown unit or parameter, or a version comes twice.
    """
    order = {facts.name: index for index, facts in enumerate(units)}
    values: dict[str, _Values] = {}
    documents: dict[str, int] = {}
    for each in filed:
        if each.unit not in order:
            raise ValueError(f"unit: expected one of those given, got {each.unit!r}")
        of_parameter = values.get(each.parameter)
        if of_parameter is None:
            of_parameter = values[each.parameter] = _Values(each.parameter)
        key = order[each.unit] * _KEY_BASE + each.month
        document = documents.setdefault(each.document, len(documents)) if each.document else -1
        of_parameter.add(key, each, document)
    keys = np.unique(
        np.concatenate([np.array(v.key, np.int64) for v in values.values()] or [_NO_KEYS])
    )
    return _columns(tuple(units), keys, values, tuple(documents), spliced)


def _columns(
    units: tuple[UnitFacts, ...],
    keys: Column,
    values: Mapping[str, _Values],
    document_names: tuple[str, ...],
    spliced: Mapping[str, str],
) -> Filings:
    columns, documents, defaults = ({} for _ in range(3))
    filed_on = np.zeros(len(keys), np.int64)
    alterations: list[Alteration] = []
    for name, of_parameter in sorted(values.items()):
        key, version = np.array(of_parameter.key, np.int64), np.array(of_parameter.version)
        order = np.lexsort((version, key))
        key, version = key[order], version[order]
        row = np.searchsorted(keys, key)
        counted = np.array(of_parameter.counted, np.int64)[order]
        document = np.array(of_parameter.document, np.int32)[order]
        follows = np.zeros(len(key), bool)
        follows[1:] = key[1:] == key[:-1]
        _once(units, name, key, version, follows)
        last = np.append(~follows[1:], True)
        columns[name] = _spread(len(keys), row[last], counted[last], MISSING, np.int64)
        documents[name] = _spread(len(keys), row[last], document[last], -1, np.int32)
        default = np.array(of_parameter.default, bool)[order]
        defaults[name] = _spread(len(keys), row[last], default[last], False, bool)
        days = np.array(of_parameter.filed_on, np.int64)[order]
        np.maximum.at(filed_on, row[~follows], days[~follows])
        for at in rows_where(follows):
            reason = of_parameter.reasons.get((int(key[at]), int(version[at])), "")
            alterations.append(
                Alteration(
                    row=int(row[at]),
                    parameter=name,
                    before=int(counted[at - 1]),
                    after=int(counted[at]),
                    version=int(version[at]),
                    filed_on=int(days[at]),
                    reason=reason,
                    document=document_names[document[at]] if document[at] >= 0 else "",
                )
            )
    return Filings(
        units=units,
        unit=keys // _KEY_BASE,
        month=keys % _KEY_BASE,
        filed_on=filed_on,
        columns=columns,
        documents=documents,
        defaults=defaults,
        document_names=document_names,
        alterations=tuple(alterations),
        spliced=spliced,
    )


def _once(
    units: tuple[UnitFacts, ...], name: str, key: Column, version: Column, follows: Column
) -> None:
    twice = np.flatnonzero(follows[1:] & (version[1:] == version[:-1]))
    if len(twice):
        unit, month = divmod(int(key[twice[0]]), _KEY_BASE)
        raise ValueError(
            f"{name} of {units[unit].name}, {month}: expected version {version[twice[0]]} once,"
            " got it twice"
        )


def _spread(rows: int, at: Column, values: Column, elsewhere: int | bool, kind: type) -> Column:
    column: Column = np.full(rows, elsewhere, kind)
    column[at] = values
    return column
