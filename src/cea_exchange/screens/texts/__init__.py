"""Every text that a reader sees, by key and language; `catalogue` reads them."""
