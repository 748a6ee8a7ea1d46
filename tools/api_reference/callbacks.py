"""The webhooks of the OpenAPI document: what the service sends to OUTCOME_WEBHOOK_URL."""

from datetime import UTC, datetime

import orjson

from cobrowse.callbacks import Callback, Delivery, EventType
from tools.api_reference import samples
from tools.api_reference.endpoint import json_content
from tools.api_reference.json_schemas import Json
from web.callback_payload import payload

_HEADERS = {
    "webhook-id": "The same at each try of an event: keep those that you have handled, and skip one that you know.",
    "webhook-timestamp": "Seconds since 1970, of this try.",
    "webhook-signature": "Standard Webhooks' signatures, one for each of OUTCOME_WEBHOOK_SECRET.",
}


def webhooks() -> Json:
    """The document's `webhooks`."""
    operation = {
        "operationId": "receiveOutcome",
        "tags": ["Receivers"],
        "summary": "Receive an outcome",
        "description": "Sent once an outcome is on record, signed as Standard Webhooks has it, at least once. Answer "
        "2xx within 10 seconds; anything else is tried again for a day, and 410 is not. No redirect is followed.",
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": json_content("Callback", examples={"succeeded": {"value": example()}}),
        },
        "responses": {"2XX": {"description": "Accepted."}, "410": {"description": "Never send this again."}},
    }
    return {"outcome": {"post": operation}}


def example() -> Json:
    """A callback of a start, as the service makes it."""
    at, outcome = datetime(2026, 11, 25, 1, 10, 23, tzinfo=UTC), samples.OUTCOMES["initiated"]
    sent = (Delivery.PENDING, at, 0, "")
    callback = Callback(
        samples.INITIATION, 1, EventType.SUCCEEDED, "architect", "start", samples.KEY, outcome, at, *sent
    )
    made: Json = orjson.loads(payload(callback, outcome))
    return made
