"""What each kind of file looks like and says.

Knows how tables are read and written.
"""
