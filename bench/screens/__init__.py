"""What the screens take and give: viewers of the board, the ticket, the first view."""
