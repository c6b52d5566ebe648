"""Supervision: what may be abuse is found in a market's events, and shown so that it can be played.

    script, or a venue's journal
        -> tape: the events as columns, each with its time            tape, sources
        -> columns of orders, trades, the book, holdings               columns
        -> alerts: one pure function a pattern                         patterns, limits.toml
        -> reproducers: the few commands that show an alert            reproducer

Nothing here is in the way of a command: it reads what a market has said.
"""
