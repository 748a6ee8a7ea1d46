"""A delivery of each sender in senders.example.toml, as Postman sends it: {{names}} are variables of the collection."""

from dataclasses import dataclass
from typing import Literal

from integrations.senders.registry import Sender
from integrations.senders.sample_deliveries import Replaced, sample_delivery

# The variables with a conversation of each channel.
CONVERSATIONS = {"webchat": "conversationId", "voice": "voiceConversationId", "message": "messageConversationId"}
# What sets them, once for a delivery and its repeat: a script that signs and the request itself must see the same.
NEW_DELIVERY = [
    'pm.collectionVariables.set("deliveryId", pm.variables.replaceIn("{{$guid}}"));',
    'pm.collectionVariables.set("deliveryNumber", String(Date.now()));',
    'pm.collectionVariables.set("deliverySeconds", String(Math.floor(Date.now() / 1000)));',
    'pm.collectionVariables.set("deliveryTime", new Date().toISOString());',
]
VARIABLES = ("deliveryId", "deliveryNumber", "deliverySeconds", "deliveryTime")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one sender sends. `told`: what is to be expected; `repeats`: it carries an id that a repeat has again."""

    what: str
    headers: dict[str, str]
    body: str
    told: Literal["started", "ignored", "acknowledged"]
    repeats: bool


def delivery_of(sender: Sender) -> Delivery | None:
    """The sender's delivery; None if its name is none of the example file's."""
    sample = sample_delivery(sender.name)
    if sample is None:
        return None
    conversation = "{{" + CONVERSATIONS[sample.channel] + "}}"
    headers, body = sample.made_another(
        Replaced(conversation, "{{deliveryId}}", "{{deliveryNumber}}", "{{deliverySeconds}}", "{{deliveryTime}}")
    )
    policy = sender.response_policy
    told: Literal["started", "ignored", "acknowledged"] = "started" if "wanted" in sample.expect[0] else "ignored"
    if policy.expects_soap_ack or policy.says is not None:
        told = "acknowledged"
    known = bool(sample.delivery_id) or any(name.endswith("-id") for name in sender.scheme.delivery_ids)
    return Delivery(sample.what, headers, body, told, known and told != "ignored")
