"""Ask a running CCER registry something over its admin socket."""

from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.control.admin_client import AdminClient

CCER = AdminClient("ccer", CcerRefusal)
ccer_ask = CCER.ask
