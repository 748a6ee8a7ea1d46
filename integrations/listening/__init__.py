"""Subscribes to Genesys's notification channels: when an agent answers, cobrowse starts, without a relay between."""
