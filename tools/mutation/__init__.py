"""The code with one thing changed in it, many times over: the tests must notice each. Run by `make mutants`."""
