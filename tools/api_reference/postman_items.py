"""A request of the Postman collection, out of plain values or of an operation of the OpenAPI document."""

import json
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def folder(name: str, description: str, items: list[Json]) -> Json:
    """A folder with these requests."""
    return {"name": name, "description": description, "item": items}


def item(name: str, request: Json, expected: Json, before: list[str] | None = None) -> Json:
    """A request with what its response must be (see postman_test.js), and what else runs before it is sent."""
    lines = [f'pm.variables.set("expected", JSON.stringify({json.dumps(expected)}));', *(before or [])]
    script = {"type": "text/javascript", "exec": lines}
    return {"name": name, "event": [{"listen": "prerequest", "script": script}], "request": request}


def request(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: object = None,
    *,
    auth: Json | None = None,
    more: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> Json:
    """A request: `auth` as Postman writes it; `more` headers that authenticate; `body` is JSON, or a text as it is."""
    written = "&".join(f"{key}={value}" for key, value in (query or {}).items())
    url: Json = {
        "raw": "{{baseUrl}}" + path + (f"?{written}" if written else ""),
        "host": ["{{baseUrl}}"],
        "path": path.removeprefix("/").split("/"),
    }
    if query:
        url["query"] = [{"key": key, "value": value} for key, value in query.items()]
    listed = [{"key": key, "value": value} for key, value in {**headers, **(more or {})}.items()]
    made: Json = {"method": method, "header": listed, "url": url, "auth": auth or {"type": "noauth"}}
    if body is not None:
        text = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
        language = {"{": "json", "[": "json", "<": "xml"}.get(text[:1], "text")
        made["body"] = {"mode": "raw", "raw": text, "options": {"raw": {"language": language}}}
    return made


def basic(username: str, password: str) -> Json:
    """HTTP Basic, as Postman writes it."""
    return _auth("basic", username=username, password=password)


def from_operation(path: str, method: str, operation: Json, document: Json) -> Json:
    """An operation's request: its first example, with the first of its credentials; its first response is expected."""
    status, response = next(iter(operation["responses"].items()))
    media = next(iter(response["content"]))
    expected: Json = {"status": int(status), "type": media}
    if "examples" in response["content"][media]:
        expected["answer"] = {"success": True}
    body = operation.get("requestBody", {"content": {}})["content"].get("application/json")
    headers = {"Content-Type": "application/json"} if body else {}
    content = next(iter(body["examples"].values()))["value"] if body else None
    named = next(iter(next(iter(operation["security"]), {})), None)
    auth = credential(document["components"]["securitySchemes"][named]) if named else None
    filled = path.replace("{", "{{").replace("}", "}}")
    asked = [one for one in operation["parameters"] if isinstance(one, dict) and one.get("in") == "query"]
    query = {one["name"]: one["example"] for one in asked if "example" in one}
    made = request(method.upper(), filled, headers, content, auth=auth, query=query)
    return item(operation["summary"], made, expected)


def credential(scheme: Json) -> Json:
    """An API key by one of the two OpenAPI security schemes that take it: in a header, or by HTTP Basic."""
    if scheme["type"] == "apiKey":
        return _auth("apikey", key=scheme["name"], value="{{apiKey}}", **{"in": scheme["in"]})
    return basic("architect", "{{apiKey}}")


def _auth(kind: str, **parts: str) -> Json:
    return {"type": kind, kind: [{"key": key, "value": value} for key, value in parts.items()]}
