"""What is due when, by whom and by what rule: months, yearly days, and the dated events since 2019."""
