"""HTTP: reads the raw body, authenticates, parses, passes a Command to the domain and responds. Knows no Genesys."""
