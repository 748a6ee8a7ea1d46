"""What the heart asks for, implemented: Genesys Cloud, the senders, the ledger, telemetry."""
