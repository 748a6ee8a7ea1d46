"""Sends each initiation's outcome to OUTCOME_WEBHOOK_URL, signed as Standard Webhooks defines."""
