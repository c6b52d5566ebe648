"""A compliance year of a nation, through platform, registries, venue and bank."""
