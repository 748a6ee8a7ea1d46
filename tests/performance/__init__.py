"""Benchmarks: `make bench`. Time is looked at here and asserted nowhere."""
