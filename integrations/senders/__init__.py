"""The other senders: who they are, what they send, how they are answered; each is a row of senders.toml."""
