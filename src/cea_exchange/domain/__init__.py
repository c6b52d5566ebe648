"""What the market is: units, calendars, profiles (the rules as data), records, names. Pure."""
