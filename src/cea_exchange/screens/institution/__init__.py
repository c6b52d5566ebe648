"""What pages of firms and of officials share: looks and acts at institutions, proposals."""
