"""The loop that sends at the times of a plan, the processes it runs in, and what they note."""
