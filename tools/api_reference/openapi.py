"""The OpenAPI 3.1 document: openapi.yaml, and what follows from the schemas, the errors and the senders' envelopes."""

from http import HTTPStatus
from pathlib import Path
from string import Template

import yaml
from apispec import APISpec

from cobrowse import __version__
from cobrowse.errors import error_types_by_code
from integrations.senders.payloads.content import media_type_of
from integrations.senders.payloads.envelopes import ENVELOPES
from schemas.crm import BATCH
from schemas.data_action import IDEMPOTENCY_KEY, KEY_FORM
from schemas.input_schema import InputSchema
from tools.api_reference import samples
from tools.api_reference.components import Json, Plugin, security_schemes
from web.error_responses import ERROR_RESPONSES

_TEXT = {"schema": {"type": "string"}}


def document() -> Json:
    """The whole document."""
    text = Template(Path(__file__).with_name("openapi.yaml").read_text("utf-8"))
    written = yaml.safe_load(
        text.substitute(vars(samples), IDEMPOTENCY_KEY=IDEMPOTENCY_KEY, KEY_PATTERN=KEY_FORM["pattern"])
    )
    plugin = Plugin()
    top = {name: written[name] for name in ("info", "servers", "tags")}
    spec = APISpec("cobrowse-bridge", __version__, "3.1.0", plugins=[plugin], **top)
    for name, requirement in written["schemas"].items():
        spec.components.schema(name, requirement, schema=f"{name}Schema")
    for name, parameter in written["parameters"].items():
        spec.components.parameter(name, parameter.get("in", "header"), {**_TEXT, **parameter})
    for name, header in written["headers"].items():
        spec.components.header(name, {**_TEXT, **header})
    for name, scheme in (written["securitySchemes"] | security_schemes()).items():
        spec.components.security_scheme(name, scheme)
    for name, value in samples.examples().items():
        spec.components.example(name, {"value": value}, lazy=True)
    security = {"Senders": [{name: []} for name in security_schemes()], **written["security"]}
    written["operations"]["Senders"]["POST /webhooks/{sender}"]["requestBody"]["schema"] = {"anyOf": _envelopes(plugin)}
    for tag, operations in written["operations"].items():
        for place, operation in operations.items():
            method, path = place.split()
            whole = {"tags": [tag], "security": security.get(tag, []), **_write_out(operation, tag)}
            spec.path(path, operations={method.lower(): whole})
    made: Json = spec.to_dict()
    made["webhooks"] = {"outcome": made["paths"].pop("outcome")}
    made["x-error-kinds"] = [
        {"code": code, "retryable": kind.retryable, "meaning": kind.__doc__, **ERROR_RESPONSES[code]._asdict()}
        for code, kind in error_types_by_code().items()
    ]
    return made


def _write_out(operation: Json, tag: str) -> Json:
    """An operation with its failures by status, its bodies and its responses' headers."""
    responses = operation["responses"]
    failures: dict[int, list[str]] = {}
    for code in " ".join(operation.pop("errors", ())).split():
        failures.setdefault(ERROR_RESPONSES[code].status, []).append(code)
    for status, codes in sorted(failures.items()):
        responses[str(status)] = {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}.",
            "schema": "DeliveryAnswerSchema" if tag == "Senders" else "AnswerSchema",
            "examples": codes[:1],
        }
    for status, response in responses.items():
        names = ["ININ-Correlation-Id"] if response.keys() > {"description"} else []
        names += ["Idempotent-Replayed", "Retry-After"] if "Answer" in str(response.get("schema")) else []
        names += ["WWW-Authenticate"] if status == "401" else []
        response["headers"] = {name: name for name in names}
        _write_body(response)
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
        _write_body(operation["requestBody"])
    return operation


def _write_body(place: Json) -> None:
    """Write out the body in JSON of a request or a response, before those of other media types."""
    if "schema" in place:
        content, examples = {"schema": place.pop("schema")}, place.pop("examples", None)
        if isinstance(examples, list):
            content["examples"] = {name: name for name in " ".join(examples).split()}
        elif examples:
            content["examples"] = {name: {"value": value} for name, value in examples.items()}
        place["content"] = {"application/json": content, **place.get("content", {})}


def _envelopes(plugin: Plugin) -> list[Json]:
    """The shapes of deliveries in JSON, with the names of the envelopes that have each."""
    shapes: dict[tuple[InputSchema, bool], list[str]] = {}
    for envelope in ENVELOPES.values():
        if media_type_of(envelope.content) == "application/json":
            shapes.setdefault((envelope.schema, envelope.batch), []).append(envelope.name)
    return [
        ({"type": "array", "items": shape, "minItems": 1, "maxItems": BATCH} if is_batch else shape)
        | {"description": f"Sent by a sender whose row has the envelope {', '.join(names)}."}
        for (schema, is_batch), names in shapes.items()
        for shape in [plugin.reference(schema)]
    ]
