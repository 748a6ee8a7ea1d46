"""What the console's own pages and forms send: which initiations to list, and the token of a form."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, fields, pre_load, validate

from cobrowse.ledger import State

# Nothing that is searched for holds a control character, and PostgreSQL takes no NUL.
_printable = validate.Regexp(r"[^\x00-\x1f\x7f]*\Z", error="Must be plain text on one line.")


class ListQuerySchema(Schema):
    """GET /console. An empty field, as a form sends it, counts as not given. `before`: the place in the ledger."""

    class Meta:
        unknown: ClassVar[str] = EXCLUDE

    state = fields.String(
        load_default="", validate=validate.OneOf([state.value for state in State], error="Must be one of {choices}.")
    )
    sender = fields.String(load_default="", validate=[validate.Length(max=100), _printable])
    q = fields.String(load_default="", validate=[validate.Length(max=255), _printable])
    before = fields.Integer(load_default=None, validate=validate.Range(min=1, max=2**63 - 1))

    @pre_load
    def _given(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {key: value.strip() for key, value in data.items() if isinstance(value, str) and value.strip()}


class RetrySchema(Schema):
    """POST /console/initiations/<id>/run-again: the token that came with the page."""

    class Meta:
        unknown: ClassVar[str] = EXCLUDE

    token = fields.String(required=True, validate=validate.Length(min=1, max=500))
