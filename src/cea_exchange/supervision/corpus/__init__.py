"""A labelled corpus: ordinary days in which known abuse is committed, and honest look-alikes."""
