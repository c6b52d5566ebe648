"""What a load waits for before it begins: that the venue knows what the registry has given."""

from cea_exchange.institution.venue_link.feed import feed_last_seq
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.registry.store import RegistryStore

TRANSFERS_S_MAX = 60.0


def await_transfers(exchange: LocalExchange) -> None:
    """Wait until the venue has applied all that the registry had for it."""
    with RegistryStore.open_reader(exchange.data) as store:
        last = feed_last_seq(store)
    exchange.wait_until(
        lambda: exchange.operate("status")["feed_seq"] >= last,
        f"the venue to apply the registry's {last} items",
        TRANSFERS_S_MAX,
    )
