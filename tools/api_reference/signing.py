"""How a sender proves itself, as a Postman request has it: as its scheme says."""

from integrations.senders.auth.scheme import PostmanAuth
from integrations.senders.registry import Sender


def proving(sender: Sender) -> PostmanAuth | None:
    """What this sender's scheme adds, with its secret by the name of the variable that holds it; None if it can't."""
    make = sender.scheme.postman
    return make(sender.auth_config, secret_of(sender)) if make is not None else None


def secret_of(sender: Sender) -> str:
    """The variable that holds the sender's newest secret; "" if it needs none."""
    return sender.auth_config.names[0] if sender.auth_config.names else ""
