"""What an endpoint is in the OpenAPI document: an Operation Object, with its answers and failures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from cobrowse.errors import CobrowseError
from tools.api_reference import samples
from tools.api_reference.components import ref
from tools.api_reference.json_schemas import Json
from web.error_responses import status_of
from web.responses import to_answer

Kind = type[CobrowseError]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation.

    `responses` has the content of each status by media type; the first one is that of success. `errors` are the kinds
    that are answered with a status of their own, in the shape `answer`.
    """

    method: str
    tag: str
    path: str
    operation_id: str
    summary: str
    responses: Mapping[str, tuple[str, Json]]
    description: str = ""
    security: list[Json] = field(default_factory=list)
    parameters: tuple[str | Json, ...] = ()
    body: Json | None = None
    errors: Iterable[Kind] = ()
    answer: str = "Answer"

    def operation(self) -> Json:
        """Its Operation Object."""
        made = {
            "operationId": self.operation_id,
            "tags": [self.tag],
            "summary": self.summary,
            "description": self.description,
            "security": self.security,
            "parameters": list(self.parameters),
            "responses": {
                **{status: _response(text, content) for status, (text, content) in self.responses.items()},
                **_failures(self.errors, self.answer),
            },
        }
        return made if self.body is None else made | {"requestBody": {"required": True, "content": self.body}}


def json_content(schema: str, **more: object) -> Json:
    """The content of a body in JSON, of this component's shape; `more` are a Media Type Object's other keys."""
    return {"application/json": {"schema": ref("schemas", schema), **more}}


def path_parameter(name: str, description: str, example: str, **schema: str) -> Json:
    """A parameter in the path."""
    placed = {"name": name, "in": "path", "required": True}
    return {**placed, "description": description, "schema": schema, "example": example}


def answers(schema: str, names: Iterable[str], failed: Kind) -> Json:
    """Answers: the outcomes of these names, and one that failed."""
    failure = {failed.code: {"summary": failed.__doc__, "value": to_answer(samples.failure(failed))}}
    return json_content(schema, examples={name: ref("examples", name) for name in names} | failure)


def _response(description: str, content: Json) -> Json:
    """A response. Those with an answer of ours may be a replay, or name a wait."""
    headers = {"ININ-Correlation-Id": ref("headers", "CorrelationId")}
    if "examples" in content.get("application/json", {}):
        headers |= {"Idempotent-Replayed": ref("headers", "Replayed"), "Retry-After": ref("headers", "RetryAfter")}
    return {"description": description, "headers": headers, "content": content}


def _failures(kinds: Iterable[Kind], schema: str) -> Json:
    """A response for each status of these kinds, with an example of the first."""
    found: Json = {}
    for status in sorted({status_of(kind) for kind in kinds}):
        here = [kind for kind in kinds if status_of(kind) == status]
        description = f"{HTTPStatus(status).phrase}: {', '.join(f'`{kind.code}`' for kind in here)}."
        found[str(status)] = _response(description, answers(schema, (), here[0]))
        if status == 401:
            found[str(status)]["headers"]["WWW-Authenticate"] = ref("headers", "Challenge")
    return found
