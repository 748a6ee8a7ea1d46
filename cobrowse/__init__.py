"""The domain: one cobrowse session per request, however often it is retried. Standard library only."""

__version__ = "0.1.0"
