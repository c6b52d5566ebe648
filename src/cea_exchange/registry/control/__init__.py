"""The registry's control plane: requests, dual control, and the processes that answer looks.

Knows every folder that acts.
"""
