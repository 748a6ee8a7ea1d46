"""What the service is made of, and what is published with it: secrets, known holes, licences. For lint and CI."""
