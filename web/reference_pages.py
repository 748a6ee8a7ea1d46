"""GET /openapi.json and GET /docs: the document, and the same document as a page without scripts or foreign hosts."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
from flask import Blueprint, Response, render_template
from markupsafe import Markup, escape

from tools.api_reference.openapi import document
from web import responses

Json = dict[str, Any]

# Nothing but our own style sheet may load, and nobody may frame the page.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_CODE = re.compile(r"`([^`]+)`")


def blueprint(senders: Mapping[str, str] | None = None, server: str = "/") -> Blueprint:
    """The routes. Both are made at the first request for them and kept."""
    pages = Blueprint(
        "reference",
        __name__,
        template_folder="templates",
        static_folder="static/reference",
        static_url_path="/docs/static",
    )
    for name, filter_ in (("prose", prose), ("pretty", pretty), ("kind", kind), ("resolved", resolved)):
        pages.add_app_template_filter(filter_, f"reference_{name}")

    @cache
    def made() -> Json:
        return document(senders, server)

    @cache
    def page() -> str:
        return render_template("reference/docs.html", document=made())

    @pages.get("/openapi.json")
    def openapi() -> Response:
        return responses.json(made())

    @pages.get("/docs")
    def docs() -> Response:
        response = Response(page(), mimetype="text/html")
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return pages


def prose(text: str) -> Markup:
    """A description with what stands in backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped first


def pretty(value: object) -> str:
    """JSON as a person reads it."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def resolved(thing: Json, whole: Json) -> Json:
    """What a reference of the document stands for; anything else as it is."""
    if "$ref" not in thing:
        return thing
    found: Json = whole
    for part in thing["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def kind(schema: Json) -> str:
    """A schema in a few words; of several that it may be, the first is the one that is meant."""
    if "anyOf" in schema:
        return kind(schema["anyOf"][0])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"list of {kind(schema['items'])}"
    words = "string" if schema.get("format") == "json-object" else schema.get("format", schema.get("type", "anything"))
    return str(words) + (f", at most {schema['maxLength']} characters" if "maxLength" in schema else "")
