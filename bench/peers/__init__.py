"""Order books of others, in an interpreter of their own, called order by order as ours is."""
