"""The link to the management platform: its items come, verdicts and completions go.

Knows distribution and compliance, and nothing of trades.
"""
