"""Ask a running platform something over its admin socket."""

from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.institution.control.admin_client import AdminClient

PLATFORM = AdminClient("platform", PlatformRefusal)
platform_ask = PLATFORM.ask
