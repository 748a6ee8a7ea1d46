"""What a callback says: Standard Webhooks' type, timestamp and data, the data as flat as a data action's answer."""

import orjson

from cobrowse.callbacks import Callback
from cobrowse.model import Outcome
from web.responses import to_answer

# For the credential that asked, and not for a log of events.
_LINKS = frozenset({"joinUrl", "viewerUrl", "joinCode", "websocketUrl"})


def payload(callback: Callback, outcome: Outcome) -> str:
    """The body that reports this outcome."""
    answer = {key: value for key, value in to_answer(outcome).items() if key not in _LINKS}
    data = answer | {
        "action": callback.action,
        "sender": callback.sender,
        "idempotencyKey": callback.key,
        "attempt": callback.attempt,
    }
    content = {"type": callback.type, "timestamp": callback.created.isoformat(), "data": data}
    return orjson.dumps(content).decode()
