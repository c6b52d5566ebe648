"""The settlement bank: instructions to it, its answers and statements, and their files."""
