"""What a row's paths can find: which fields an envelope's payloads have, and literals that can never be right.

A vendor may add a field at any time, so a path to another is worth a warning and no more.
"""

from collections.abc import Callable, Mapping
from typing import Any

from cobrowse.errors import InvalidRequest
from integrations.senders.payloads.paths import Path
from integrations.senders.requests import HEADER
from schemas.texts import CHANNELS, SHOWN_LENGTH

PATHS = ("conversation_id", "channel", "requested_by", "session_settings", "filter")

FieldTree = Mapping[str, Any]
"""Field names with the shape below each; None: anything may stand there."""

ANYTHING = None


def _fields(names: str) -> FieldTree:
    return dict.fromkeys(names.split())


_DETAIL = _fields("topicName version eventBody metadata timestamp id")

# The documented fields at the top of each payload, as docs/senders.md has them; envelopes whose body the user writes
# by hand have no shape.
DOCUMENTED_FIELDS: Mapping[str, FieldTree] = {
    "eventbridge": {**_fields("version id detail-type source account time region resources"), "detail": _DETAIL},
    "genesys-notification": {**_DETAIL, "eventBody": ANYTHING},
    "open-messaging": _fields("""
        id channel type text content direction originatingEntity metadata events status reasons isFinalReceipt
        time conversationId
    """),
    "hubspot": _fields("""
        objectId propertyName propertyValue changeSource eventId subscriptionId portalId appId occurredAt
        subscriptionType attemptNumber sourceId objectTypeId isSensitive changeFlag associationType
        fromObjectId toObjectId associationRemoved isPrimaryAssociation messageId messageType primaryObjectId
        mergedObjectIds newObjectId numberOfPropertiesMoved
    """),
    "zendesk-event": _fields("type account_id id time zendesk_event_version subject detail event"),
    "dataverse": _fields("""
        BusinessUnitId CorrelationId Depth InitiatingUserId InputParameters IsExecutingOffline IsInTransaction
        IsOfflinePlayback IsolationMode MessageName Mode OperationCreatedOn OperationId OrganizationId
        OrganizationName OutputParameters OwningExtension ParentContext PostEntityImages PreEntityImages
        PrimaryEntityId PrimaryEntityName RequestId SecondaryEntityName SharedVariables Stage UserId
        attributes InitiatingUserAzureActiveDirectoryObjectId UserAzureActiveDirectoryObjectId
        InitiatingUserAgent InitiatingUserApplicationId
    """),
    "salesforce-outbound-message": _fields("Id OrganizationId ActionId sObject"),
}


def literal_error(path: object, key: str, parse: Callable[[object, str], str]) -> str:
    """What is wrong with a path that is a literal, and so the same for every event; "" for any other."""
    parsed: Any = Path.of(path).compiled.parsed if isinstance(path, str) else {}
    if parsed.get("type") != "literal":
        return ""
    try:
        found = parse(parsed["value"], key)
    except InvalidRequest as error:
        return f"can never be one: {error.message}"
    return (
        ""
        if key != "channel" or found in CHANNELS
        else f"{found[:SHOWN_LENGTH]!r} can't carry cobrowse; no event could start"
    )


def warnings_of(row: Mapping[str, object]) -> list[str]:
    """What a sound row says that its sender's documents give no reason for: one line each, `key: what`."""
    envelope = row.get("envelope")
    shape = DOCUMENTED_FIELDS.get(str(envelope))
    if shape is None:
        return []
    return [
        f"{key}: no documented payload of {envelope!r} has {field[:60]!r}; compare the path with what is sent"
        for key in (*PATHS, "delivery_id")
        if isinstance(path := row.get(key), str) and not path.startswith(HEADER)
        for field in dict.fromkeys(_absent(Path.of(path).compiled.parsed, shape)[1])
    ]


def _absent(node: Mapping[str, Any], shape: FieldTree | None) -> tuple[FieldTree | None, list[str]]:
    """The shape of what a part of a path yields, and the fields it misses."""
    kind, children = node["type"], [child for child in node.get("children", ()) if isinstance(child, Mapping)]
    if kind == "field":
        if shape is None or node["value"] in shape:
            return (shape or {}).get(node["value"]), []
        return ANYTHING, [str(node["value"])]
    if kind in ("subexpression", "pipe", "index_expression"):
        missing: list[str] = []
        for child in children:
            shape, found = _absent(child, shape)
            missing += found
        return shape, missing
    if kind.endswith("projection"):
        # What is projected stands in lists or under any name, about which a shape says nothing.
        return ANYTHING, _absent(children[0], shape)[1]
    if kind in ("identity", "current"):
        return shape, []
    return ANYTHING, [field for child in children for field in _absent(child, shape)[1]]
