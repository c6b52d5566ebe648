"""What the rules make public, and nothing else."""
