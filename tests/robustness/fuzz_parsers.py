"""The parsers by themselves: deliveries with changed headers and bodies, as if nobody or everybody had signed them."""

import json
from dataclasses import replace

from hypothesis import strategies as st

from integrations.senders.registry import Sender
from integrations.senders.requests import UnverifiedRequest
from tests.robustness import inputs
from tests.robustness.parsers import authenticated, genuine, known, read, with_headers
from tests.robustness.tally import Tally, drive


def signatures(count: int, ends: float, first: int) -> Tally:
    """Headers and bodies that nobody signed, for each sender."""
    strategy = tampered(genuine(known()[0]))
    return drive(Tally("signatures"), count, ends, strategy, lambda case: authenticated(*case), first)


def envelopes(count: int, ends: float, first: int) -> Tally:
    """Bodies that no sender writes, as if they had been signed."""
    strategy = changed(genuine(known()[0]))
    return drive(Tally("envelopes"), count, ends, strategy, lambda case: read(*case), first)


@st.composite
def changed(draw: st.DrawFn, found: list[tuple[Sender, UnverifiedRequest]]) -> tuple[Sender, UnverifiedRequest]:
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
def tampered(
    draw: st.DrawFn, found: list[tuple[Sender, UnverifiedRequest]]
) -> tuple[Sender, UnverifiedRequest, UnverifiedRequest]:
    """A sender, a delivery of its, and that delivery with other headers, another body or another query."""
    row, incoming = draw(st.sampled_from(found))
    names = st.sampled_from(sorted(incoming.headers))
    other = with_headers(incoming, draw(st.dictionaries(names, st.none() | inputs.header_values, max_size=3)))
    if draw(st.booleans()):
        other = replace(other, body=draw(inputs.changed_bytes(other.body)))
    if draw(st.integers(0, 4)) == 0:
        other = replace(other, query_string=draw(st.text(max_size=40)))
    return row, incoming, other
