"""The answers in the OpenAPI document: one shape, an example of each outcome and of each kind of failure."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from cobrowse.errors import CobrowseError
from tools.api_reference import samples
from web.error_responses import status_of

Json = dict[str, Any]
Kind = type[CobrowseError]


def failures(met: list[Kind]) -> dict[str, Json]:
    """A response for each status that these kinds have, with an answer of each kind."""
    found: dict[str, Json] = {}
    for status in sorted({status_of(kind) for kind in met}):
        here = [kind for kind in met if status_of(kind) == status]
        codes = ", ".join(f"`{kind.code}`" for kind in here)
        made = response(f"{HTTPStatus(status).phrase}: {codes}.", examples(here, {}))
        if status == 401:
            made["headers"]["WWW-Authenticate"] = ref("headers", "Challenge")
        found[str(status)] = made
    return found


def examples(failed: list[Kind], outcomes: Mapping[str, object]) -> Json:
    """The answers of these outcomes, and of these kinds of failure, by their names."""
    good = {name: {"value": samples.success(name)} for name in outcomes}
    return good | {kind.code: {"summary": kind.__doc__, "value": samples.failure(kind)} for kind in failed}


def response(description: str, shown: Json) -> Json:
    """An answer of ours, with the headers it may carry."""
    headers = {"ININ-Correlation-Id": "CorrelationId", "Idempotent-Replayed": "Replayed", "Retry-After": "RetryAfter"}
    return {
        "description": description,
        "headers": {name: ref("headers", component) for name, component in headers.items()},
        "content": {"application/json": {"schema": ref("schemas", "Answer"), "examples": shown}},
    }


def ref(kind: str, name: str) -> Json:
    """A reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}
