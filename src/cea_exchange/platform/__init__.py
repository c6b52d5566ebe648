"""The management platform: enterprises file what they emit, provinces verify it.

    from cea_exchange.platform.platform import Platform

`Platform` is the platform without a daemon, on its database; it needs no socket. What it computes
the registry computes again before anything is posted.
"""
