"""What came of it, for people: the goals held against the figures, tables, and the plot. Functions of the results."""
