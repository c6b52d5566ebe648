"""What every institution's daemon shares: who acts, what was done, what waits, day and time.

Knows the ledger and the control plane; no institution, whose own requests, roles and tables it is
given.
"""
