"""Case files of the exchange: what may be entered, what they show, and their papers on disk.

Knows the journal, and no market.
"""
