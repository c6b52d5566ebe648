"""Between text and the core's numbers: names, what callers write, and events and state in words."""
