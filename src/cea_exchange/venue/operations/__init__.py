"""Operators' requests, metrics and monitoring.

Knows every room that runs.
"""
