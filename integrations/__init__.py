"""Adapters of the domain's ports: Genesys Cloud, the senders, the ledger, telemetry."""
