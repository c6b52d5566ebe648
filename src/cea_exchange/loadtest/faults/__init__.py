"""What is done to a system while it is loaded: by name, and at a time of the run."""
