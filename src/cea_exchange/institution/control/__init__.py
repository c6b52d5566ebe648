"""Who asks for what over the control socket, and how long each waits."""
