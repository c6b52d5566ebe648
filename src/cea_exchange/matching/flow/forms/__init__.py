"""Recorded flow of other venues as order files, and as the trades that have to come out.

The forms and how their records are converted are described in protocol/order_flow.md.
"""

from cea_exchange.matching.flow.forms.itch import convert_itch
from cea_exchange.matching.flow.forms.mbo import convert_mbo
from cea_exchange.matching.flow.forms.records import ConversionError, FlowSource
from cea_exchange.matching.flow.forms.sse import convert_sse
from cea_exchange.matching.flow.forms.szse import convert_szse
from cea_exchange.matching.flow.forms.writer import FlowWriter

__all__ = ["FORMS", "ConversionError", "FlowSource", "FlowWriter"]

FORMS = {"mbo": convert_mbo, "itch": convert_itch, "sse": convert_sse, "szse": convert_szse}
"""Each takes sources, of which only `szse` has two, and a writer."""
