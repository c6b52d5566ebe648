"""Where the system to load stands: one's own daemons, a program that is started, or elsewhere."""
