"""Signatures and envelopes under bad input, without HTTP: what they may do, and inputs that they are tried with."""

import json
from dataclasses import replace

from hypothesis import strategies as st

from cobrowse.errors import CobrowseError
from tests.payloads import NOW, deliveries, senders
from tests.robustness import inputs
from web.error_responses import status_of

# What an authenticated delivery that can't be taken may be answered.
UNREADABLE = (400, 413, 415, 422)


def genuine():
    """Each sender of the example file with each of its deliveries whose body is text, signed as its row says."""
    rows, found = senders(), []
    for delivery in deliveries():
        row = rows.get(delivery.sender)
        if row is not None and _is_text(delivery.body):
            found.append((row, delivery.signed_by(row)))
    return found


def _is_text(body):
    """Standard Webhooks signs nothing else."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def authenticated(sender, genuine, incoming):
    """What is wrong with how this delivery is judged: it is let in, if it is genuine, or refused with 401."""
    try:
        sender.authenticate(incoming, NOW)
    except CobrowseError as error:
        return "" if status_of(error) == 401 else f"{error.code} from a signature"
    return "an altered body was let in" if sender.scheme.covers_body and incoming.body != genuine.body else ""


def read(sender, incoming):
    """What is wrong with how this delivery is read: it yields events, or is refused as what can't be read."""
    try:
        return "" if sender.parse_events(incoming) else "no event at all"
    except CobrowseError as error:
        return "" if status_of(error) in UNREADABLE else f"{error.code} from an envelope"


def with_headers(incoming, headers):
    """The delivery with these headers in place, without those that are None."""
    changed = {**incoming.headers, **headers}
    return replace(incoming, headers={name: value for name, value in changed.items() if value is not None})


@st.composite
def changed(draw, found):
    """A sender, and a delivery of its with another body."""
    row, incoming = draw(st.sampled_from(found))
    xml = row.content_type == "text/xml"
    try:
        body = None if xml else json.loads(incoming.body)
    except ValueError:
        body = None
    bombs = st.sampled_from(list((inputs.XML_BOMBS if xml else inputs.JSON_BOMBS).values()))
    bodies = inputs.changed_bytes(incoming.body) if body is None else inputs.changed_json(body)
    return row, replace(incoming, body=draw(bodies | bombs if draw(st.integers(0, 9)) == 0 else bodies))


@st.composite
def tampered(draw, found):
    """A sender, a delivery of its, and that delivery with other headers, another body or another query."""
    row, incoming = draw(st.sampled_from(found))
    names = st.sampled_from(sorted(incoming.headers))
    other = with_headers(incoming, draw(st.dictionaries(names, st.none() | inputs.header_values, max_size=3)))
    if draw(st.booleans()):
        other = replace(other, body=draw(inputs.changed_bytes(other.body)))
    if draw(st.integers(0, 4)) == 0:
        other = replace(other, query_string=draw(st.text(max_size=40)))
    return row, incoming, other
