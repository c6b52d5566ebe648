"""What is due when, by whom and by what rule: months, yearly days, dated events since 2020."""
