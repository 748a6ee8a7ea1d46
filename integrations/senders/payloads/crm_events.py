"""What CRMs wrap their events in: batches, key/value lists, SOAP. Plain functions of a body."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cobrowse.errors import InvalidRequest
from schemas.crm import BATCH

_NIL_GUID = "00000000-0000-0000-0000-000000000000"
_DATE = re.compile(r"/Date\((-?[0-9]{1,16})(?:[+-][0-9]{4})?\)/")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOO_BIG = "x-ms-dynamics-msg-size-exceeded"


def single_event(body: object) -> list[object]:
    """The one event that a body is."""
    if isinstance(body, list) and len(body) == 1:
        body = body[0]  # Event Grid and others write a single event so
    if isinstance(body, list) and body:
        raise InvalidRequest(f"the body: is an array of {len(body)} events; set batch = true in the sender's row")
    if not isinstance(body, dict):
        inside = "; a JSON text inside a JSON string came, encoded more than twice" if isinstance(body, str) else ""
        raise InvalidRequest(f"the body: must be one JSON object{inside}")
    return [body]


def batch_events(body: object) -> list[object]:
    """The events of a batch. InvalidRequest if it is none, or too long."""
    if not isinstance(body, list):
        raise InvalidRequest("the body: must be a JSON array of events")
    return list(_within(body))


def one_or_more(body: object, split: Callable[[object], list[object]]) -> list[object]:
    """The events of an array, or the one that a body is, each as its envelope has it; what is none, as it is."""
    if not isinstance(body, list):
        return split(body)
    return [split(event)[0] if isinstance(event, dict) else event for event in _within(body)]


def hubspot_id(event: Mapping[str, Any], _headers: Mapping[str, str]) -> str:
    """What identifies a HubSpot event: its eventId may repeat."""
    parts = [event["subscriptionId"], event["objectId"], event["occurredAt"]]
    return ":".join(str(part) for part in parts) if None not in parts else ""


def hubspot_content(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event without what differs each time it is sent."""
    return {key: value for key, value in event.items() if key != "attemptNumber"}


def with_attributes(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Dataverse context with `attributes`: the record's as one mapping, its dates in ISO 8601."""
    target = _pairs(body.get("InputParameters")).get("Target")
    found = _pairs(target.get("Attributes")) if isinstance(target, dict) else {}
    for image in _pairs(body.get("PostEntityImages")).values():
        # What the record looks like now holds also those that this change did not touch.
        now = _pairs(image.get("Attributes")) if isinstance(image, dict) else {}
        for key, value in now.items():
            found.setdefault(key, value)
    return {**body, "attributes": {key: _parse_dotnet_date(value) for key, value in found.items()}}


def check_dataverse(event: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """Raise InvalidRequest if Dataverse has left out what the row's paths are about."""
    if headers.get(_TOO_BIG, "").lower() not in ("", "false") and not event["InputParameters"]:
        raise InvalidRequest(
            "InputParameters: Dataverse left it out, since the message was over 256 KB; "
            "let the step filter on fewer attributes"
        )


def dataverse_id(event: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """The operation's id; a synchronous step has none, and there the request's, the message and the record are one."""
    if event["OperationId"] not in ("", _NIL_GUID):
        return str(event["OperationId"])
    request = headers.get("x-ms-correlation-request-id", "") or event["CorrelationId"]
    return f"{request}:{event['MessageName']}:{event['PrimaryEntityId']}" if request not in ("", _NIL_GUID) else ""


def soap_notifications(body: object) -> list[object]:
    """The notifications of a Salesforce outbound message, each with what all of them share; its session id left out."""
    message = body
    for name in ("Envelope", "Body", "notifications"):
        message = message.get(name) if isinstance(message, dict) else None
    if not isinstance(message, dict):
        raise InvalidRequest("Body.notifications: this is no outbound message of Salesforce")
    found = message.get("Notification", [])
    shared = {name: message.get(name) for name in ("OrganizationId", "ActionId")}
    return [
        {**shared, **{name: each.get(name) for name in ("Id", "sObject")}} if isinstance(each, dict) else shared
        for each in _within(found if isinstance(found, list) else [found])
    ]


def _within(events: list[Any]) -> list[Any]:
    if len(events) > BATCH:
        raise InvalidRequest(f"the body: {len(events)} events at once; at most {BATCH} are taken")
    return events


def _pairs(entries: object) -> dict[str, Any]:
    """A list of keys and values as a mapping."""
    if not isinstance(entries, list):
        return {}
    pairs = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("key"), str)]
    return {entry["key"]: entry.get("value") for entry in pairs}


def _parse_dotnet_date(value: object) -> object:
    """A value, with /Date(ms)/ made ISO 8601; one outside the calendar stays as it is."""
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    try:
        return (_EPOCH + timedelta(milliseconds=int(found[1]))).isoformat()
    except OverflowError:
        return value
