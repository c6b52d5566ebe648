"""A year's systems as daemons on this machine, which are asked over their sockets."""
