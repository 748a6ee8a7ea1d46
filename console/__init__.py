"""The console: lists the newest initiations and retries failed ones."""
