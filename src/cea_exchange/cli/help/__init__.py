"""Commands about the commands: explanations, completion, and a check of the installation."""
