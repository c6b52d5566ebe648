"""What stands between a browser and a page: who may ask, how much, how often, and how fast."""
