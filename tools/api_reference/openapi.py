"""The OpenAPI 3.1 document: apispec makes it from the marshmallow schemas, the endpoints and the error kinds."""

from apispec import APISpec

from cobrowse import __version__
from cobrowse.errors import error_types_by_code
from tools.api_reference import callbacks, components, json_schemas
from tools.api_reference.json_schemas import Json
from tools.api_reference.operations import ENDPOINTS
from web.error_responses import ERROR_RESPONSES

_INTRODUCTION = (
    "Starts and ends cobrowse sessions in Genesys Cloud for Architect flows, chat events, CRMs and anything else that "
    "can send an HTTP request. Each request starts one session however often it is delivered, and is answered with one "
    "flat JSON object that says what happened and what to do."
)
_TAGS = {
    "Architect": "The data action of a flow, or a person with an API key.",
    "Senders": "Chat events, CRMs and other webhooks: each has its row in the senders file.",
    "Receivers": "Your own endpoint at `OUTCOME_WEBHOOK_URL`, which the service tells what became of each request.",
    "Operations": "For operators of the service. No credential is needed.",
}


def document() -> Json:
    """The whole document."""
    plugin = json_schemas.plugin()
    spec = APISpec(
        "cobrowse-bridge",
        __version__,
        "3.1.0",
        plugins=[plugin],
        info={"description": _INTRODUCTION, "summary": "One cobrowse session for each request."},
        servers=[{"url": "/"}],
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    json_schemas.add_to(spec, plugin)
    components.add_to(spec)
    for endpoint in ENDPOINTS:
        spec.path(endpoint.path, operations={endpoint.method: endpoint.operation()})
    made: Json = spec.to_dict()
    made["webhooks"] = callbacks.webhooks()
    made["x-error-kinds"] = [
        {
            "code": kind.code,
            "status": ERROR_RESPONSES[kind.code].status,
            "retryable": kind.retryable,
            "meaning": kind.__doc__,
            "hint": ERROR_RESPONSES[kind.code].hint,
        }
        for kind in error_types_by_code().values()
    ]
    return made
