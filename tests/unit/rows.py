"""A row of senders.toml and what is made of it."""

from integrations.senders.registry import load_senders

SECRET = "0123456789abcdef"
GOOD = 'signature = "github"\nsecrets = ["$S"]\nenvelope = "custom"\n'


def load(row, name="one", *, env=None, **settings):
    environment = {"S": SECRET, "SHORT": "0123456789abcde", "EMPTY": " ", **(env or {})}
    return load_senders(f"[senders.{name}]\n{row}", environment, **settings)
