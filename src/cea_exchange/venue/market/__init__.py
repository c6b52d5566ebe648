"""The market and its tables as a function of the journal, and looks at them.

Knows no file or socket.
"""
