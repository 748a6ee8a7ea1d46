"""Hears Genesys's notification channels itself: an agent answers a chat, and cobrowse starts, with no relay between."""
