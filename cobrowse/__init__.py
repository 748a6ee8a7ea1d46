"""The heart: one cobrowse session for each request, however often it is asked for. Standard library only."""
