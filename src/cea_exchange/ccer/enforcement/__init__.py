"""Courts, the supervisor, and CCERs that were issued on false papers."""
