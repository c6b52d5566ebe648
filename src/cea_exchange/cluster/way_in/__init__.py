"""The way to whichever venue leads: where it is, and participants' sessions that outlive it.

Knows nothing of the journal: a venue that leads says so itself, and what it releases is in the log.
"""
