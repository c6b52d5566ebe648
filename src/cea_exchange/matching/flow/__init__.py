"""Recorded order flow: read from files of other venues, played through a book, and compared."""
