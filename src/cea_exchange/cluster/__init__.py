"""A venue of several machines: the replicated journal, who leads, and how others find it.

Its protocol, states and promises are in protocol/cluster.md. Needs the extra ``cluster``.
"""
