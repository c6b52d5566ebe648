"""Files that a person names, on a command line or in settings: opened safely, read within bounds.

Only regular files are read, never a pipe, a device or a folder, and no more of them than their kind
may have. What is wrong with one is a `UserFileError` in one sentence, whatever is in it.
"""
