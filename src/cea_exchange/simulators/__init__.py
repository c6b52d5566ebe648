"""Counterparts that err on purpose, for tests and demonstrations.

May know what they talk to.
"""
