"""Sends what became of each initiation to OUTCOME_WEBHOOK_URL, signed as Standard Webhooks has it."""
