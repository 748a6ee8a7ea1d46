"""The commands of `flask cobrowse`: a module each, for a person at a terminal of 80 columns."""
