"""The settings that a command reads which only looks into the ledger, lists or signs as senders, or calls Genesys."""

# Whatever completes an initiation also adds its callback, so it must know whether callbacks are configured.
LEDGER = ("LEDGER_URL", "LEDGER_KEYS", "LEDGER_RETENTION_SECONDS", "OUTCOME_WEBHOOK_URL")
SENDERS = ("SENDERS_FILE", "PUBLIC_BASE_URL", "TRUSTED_PROXIES", "MAX_BODY_BYTES", "LEDGER_RETENTION_SECONDS")
GENESYS = (
    *("GENESYS_REGION", "GENESYS_CLIENT_ID", "GENESYS_CLIENT_SECRET", "GENESYS_API_URL", "GENESYS_LOGIN_URL"),
    *("GENESYS_CA_FILE", "GENESYS_PROXY", "NO_PROXY", "GENESYS_CLIENT_CERT", "GENESYS_CLIENT_KEY"),
    *("SANDBOX", "MAX_UPSTREAM_BYTES", "COBROWSE_FLOW", "END_MEDIA_SESSIONS", "LOG_FORMAT"),
)
