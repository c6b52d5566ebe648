"""A settlement bank that errs on purpose, and keeps the truth beside its errors."""
