"""The console: the newest initiations for a person to look at, and a failed one to retry."""
