"""What an allocation file does, entity by entity, as a table for people: written, never read."""

from cea_exchange.files.kinds import FLAG, NAME, PROVINCE, TONNES_OR_ZERO, YEAR, Choice
from cea_exchange.files.layout import Column, Layout, Totals
from cea_exchange.registry.distribution.plan import Line
from cea_exchange.registry.files.layouts.allocation import STAGES

_SUMMED = (
    *("tonnes", "before", "given_before", "given", "kept", "recalled", "recalled_kept"),
    *("unrecalled", "deducted", "returned", "remaining", "held", "held_by_province"),
)

DISTRIBUTION_LINES = Layout(
    title="distribution",
    row=Line,
    columns=(
        Column("compliance_year", YEAR),
        Column("product", NAME),
        Column("stage", Choice(*STAGES)),
        Column("province", PROVINCE),
        Column("account", NAME),
        Column("at_risk", FLAG),
        *(Column(name, TONNES_OR_ZERO) for name in _SUMMED),
    ),
    totals=Totals(mark="account", summed=_SUMMED, by="province"),
    once=("account",),
    same=("compliance_year", "product", "stage"),
)
