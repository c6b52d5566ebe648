"""What a reference market keeps, a row each: accounts, products, orders, blocks and biddings."""
