"""Trades that are undone. Behaviour is in bust.pyx.

    trade_read      the record of a trade, from what Python gives
    trade_fault     why it can't be one of this market's, or None
    trade_bust      both legs back
"""

from cea_exchange._records cimport EventRecord
from cea_exchange.core.trading cimport Market


cdef int trade_read(object trade, EventRecord* row) except -1
cdef object trade_fault(const Market* market, const EventRecord* trade)
# The sink has room for what is told of it, and of a large holder.
cdef void trade_bust(Market* market, const EventRecord* trade) noexcept
