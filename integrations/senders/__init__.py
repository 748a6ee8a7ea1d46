"""Webhook senders: authentication, payloads, response policies. Each sender is a row of senders.toml."""
