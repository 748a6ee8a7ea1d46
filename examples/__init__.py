"""For people to read and copy."""
