"""The daemons: serving, checking, copying, and the groups that their acts are added to."""
