"""The market and its tables as a function of the journal, and views of them.

Knows no file or socket.
"""
