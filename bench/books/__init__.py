"""Order books and markets in memory, ours and others': their flow, their times, their proof."""
