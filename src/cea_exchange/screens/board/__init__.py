"""What everybody may see: products, books, trades, history, bulletins, rules, notices."""
