"""Commands that help with the commands: what words mean, completion, and whether all is there."""
