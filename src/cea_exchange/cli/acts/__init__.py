"""Commands made of the daemons' request structs: what is typed, asked and shown."""
