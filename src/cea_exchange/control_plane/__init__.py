"""What every daemon shares: requests, refusals, dual control, sockets. No market rules."""
