"""The domain: one cobrowse session per request, however often it is retried. Standard library only."""
