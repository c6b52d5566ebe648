"""A year of filed months of a whole nation, made from a seed, and errors planted into it."""
