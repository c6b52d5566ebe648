"""The compiled market: records in, events out. It knows `domain` and the book's parts beside it."""
