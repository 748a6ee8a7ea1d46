"""How senders authenticate: a file for each family of schemes, and one table of all schemes."""
