"""What may be asked over the control socket: a struct each, that knows how to act.

A request's tag is its ``op``. Every request may carry a ``request_id`` of the asker's: it is stored
with the act, and the same request again, after an answer was lost, gets the first answer.
"""
