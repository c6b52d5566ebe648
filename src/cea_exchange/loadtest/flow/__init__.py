"""What is sent, and when: workloads, arrivals, recorded days. Drawn before the run, from a seed."""
