"""VVBs, projects and batches: what must be before a CCER is issued."""
