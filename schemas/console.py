"""What the console's pages ask for: which initiations to list."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from marshmallow import EXCLUDE, fields, validate

from cobrowse.ledger import State
from schemas.input_schema import InputSchema


class Range(NamedTuple):
    """A time range of the list: what the page calls it, and its seconds."""

    words: str
    seconds: float


# By what the query calls them, in the order of the filter's choices.
RANGES = {
    "15m": Range("15 minutes", 900.0),
    "1h": Range("1 hour", 3_600.0),
    "6h": Range("6 hours", 21_600.0),
    "24h": Range("24 hours", 86_400.0),
    "7d": Range("7 days", 604_800.0),
}
_UUID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE)

# Nothing that is searched for holds a control character, and PostgreSQL takes no NUL.
_printable = validate.Regexp(r"[^\x00-\x1f\x7f]*\Z", error="Must be plain text on one line.")


class ListQuerySchema(InputSchema):
    """GET /console. An empty field, as a form sends it, counts as not given. `before`: the place in the ledger."""

    class Meta:
        unknown: ClassVar[str] = EXCLUDE

    state = fields.String(
        load_default="", validate=validate.OneOf([state.value for state in State], error="Must be one of {choices}.")
    )
    sender = fields.String(load_default="", validate=[validate.Length(max=100), _printable])
    q = fields.String(load_default="", validate=[validate.Length(max=255), _printable])
    within = fields.String(load_default="", validate=validate.OneOf(RANGES, error="Must be one of {choices}."))
    before = fields.Integer(load_default=None, validate=validate.Range(min=1, max=2**63 - 1))

    def prepare(self, data: Any) -> Any:
        """What is not empty."""
        if not isinstance(data, Mapping):
            return data
        filled = {key: value.strip() for key, value in data.items() if isinstance(value, str) and value.strip()}
        if "q" in filled:
            filled["q"] = parse_search(filled["q"])
        return filled


def parse_search(text: str) -> str:
    """What is meant by a text that was pasted: the id in a URL, a log line or JSON, or the text without quotes."""
    found = _UUID.search(text)
    return found[0].lower() if found else text.strip("\"'`,;: \t")
