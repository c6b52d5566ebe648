"""Results of a run: figures, whether they are worth anything, and how they are shown."""
