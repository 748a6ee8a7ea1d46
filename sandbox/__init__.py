"""A Genesys Cloud that runs on a laptop: real HTTP, the cobrowse calls of both flows, and faults on demand."""
