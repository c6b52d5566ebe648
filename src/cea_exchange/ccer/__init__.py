"""The CCER registry: projects, batches, lots and what becomes of them, upon the shared ledger."""
