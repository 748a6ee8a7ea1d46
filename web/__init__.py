"""HTTP: reads the raw body, asks who it is, parses, hands a Command to the heart and answers. Knows no Genesys."""
