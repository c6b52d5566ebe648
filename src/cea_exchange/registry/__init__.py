"""Hold accounts and settle trades, delivery versus payment. Nothing about books."""
