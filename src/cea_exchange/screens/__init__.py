"""Screens in a browser: the public board, and one person's own console on a loopback address.

    browser -> guard -> page -> client, market data, control sockets -> daemons

Nothing here knows how a daemon works inside: it asks, over the interfaces that there are, with the
key of the person who looks.
"""
