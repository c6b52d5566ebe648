"""The link to the CCER registry: proofs of cancellations come, claims on them go.

Knows compliance, and nothing of trades.
"""
