"""What the desks of firms, provinces and the authority share: looks, acts, second persons."""
