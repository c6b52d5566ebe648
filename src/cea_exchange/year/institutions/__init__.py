"""The real systems of a year, and what is done at each of them."""
