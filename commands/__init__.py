"""The commands of `cobrowse-bridge`: a module each, for a person at a terminal of 80 columns."""
