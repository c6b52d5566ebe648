"""What the platform may be asked over its control socket, and how it is answered.

Knows every folder that acts.
"""
