"""Signatures and envelopes under bad input, without HTTP: what they may do, and anything else is a fault."""

from collections.abc import Mapping
from dataclasses import replace

from cobrowse.errors import CobrowseError
from integrations.senders.registry import Sender, Senders
from integrations.senders.requests import UnverifiedRequest
from tests.payloads import NOW, Delivery, deliveries, senders
from web.error_responses import status_of

# What an authenticated delivery that can't be taken may be told.
UNREADABLE = (400, 413, 415, 422)


def known() -> tuple[Senders, list[Delivery]]:
    """The senders of the example file, and a real delivery or more of each."""
    return senders(), deliveries()


def genuine(rows: Senders) -> list[tuple[Sender, UnverifiedRequest]]:
    """Each delivery whose body is text, signed as its sender's row says."""
    found = [(rows.get(one.sender), one) for one in deliveries() if _is_text(one.body)]
    return [(row, one.signed_by(row)) for row, one in found if row is not None]


def _is_text(body: bytes) -> bool:
    """Standard Webhooks signs nothing else."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def authenticated(sender: Sender, genuine: UnverifiedRequest, incoming: UnverifiedRequest) -> str:
    """What is wrong with how this delivery is judged: it is let in, if it is genuine, or refused with 401."""
    try:
        sender.authenticate(incoming, NOW)
    except CobrowseError as error:
        return "" if status_of(error) == 401 else f"{error.code} from a signature"
    except Exception as fault:  # noqa: BLE001 - a parser that fails is what is looked for
        return f"{type(fault).__name__} from a signature: {fault}"
    if sender.scheme.covers_body and incoming.body != genuine.body:
        return "an altered body was let in"
    return ""


def read(sender: Sender, incoming: UnverifiedRequest) -> str:
    """What is wrong with how this delivery is read: it yields events, or is refused as what can't be read."""
    try:
        events = sender.read(incoming)
    except CobrowseError as error:
        return "" if status_of(error) in UNREADABLE else f"{error.code} from an envelope"
    except Exception as fault:  # noqa: BLE001 - a parser that fails is what is looked for
        return f"{type(fault).__name__} from an envelope: {fault}"
    return "" if events else "no event at all"


def with_headers(incoming: UnverifiedRequest, headers: Mapping[str, str | None]) -> UnverifiedRequest:
    """The delivery with these headers in place, without those that are None."""
    changed = {**incoming.headers, **headers}
    return replace(incoming, headers={name: value for name, value in changed.items() if value is not None})
