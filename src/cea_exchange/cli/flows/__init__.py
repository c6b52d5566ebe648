"""Commands that play recorded or invented flow: scripts, replays, auctions, load, the demo."""
