"""What is measured: windows of load on any contender, and the questions that are put to ours alone."""
