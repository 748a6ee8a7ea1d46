"""A request of the Postman collection and its tests, out of plain values."""

import json
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

_FLAT = [
    "const answer = pm.response.json();",
    'pm.test("every key is there, flat and not null", () => {',
    '  const keys = JSON.parse(pm.collectionVariables.get("answerKeys"));',
    '  pm.expect(Object.keys(answer).filter((key) => key !== "results")).to.have.members(keys);',
    "  for (const key of keys) pm.expect(typeof answer[key]).to.be.oneOf([",
    '    "string", "number", "boolean"]);',
    "});",
]


def tests(status: int, *, replayed: bool) -> list[str]:
    """The tests of an answer of ours: its status, its keys, and whether it is an earlier one again."""
    return [*has_status(status), *_FLAT, *replay(replayed)]


def failing(status: int, code: str) -> list[str]:
    """The tests of a failure of this kind."""
    return [*tests(status, replayed=False), *expecting("success", False), *expecting("errorCode", code)]


def has_status(status: int) -> list[str]:
    """The test of a status."""
    return [f'pm.test("the status is {status}", () => pm.response.to.have.status({status}));']


def replay(replayed: bool) -> list[str]:
    """The test of whether this is an earlier answer again."""
    if replayed:
        check = 'pm.expect(pm.response.headers.get("Idempotent-Replayed")).to.eql("true")'
        return [f'pm.test("it is an earlier answer again", () => {check});']
    check = 'pm.expect(pm.response.headers.has("Idempotent-Replayed")).to.eql(false)'
    return [f'pm.test("it is an answer of its own", () => {check});']


def expecting(key: str, value: object) -> list[str]:
    """The test of one key of the answer."""
    wanted = json.dumps(value)
    told = json.dumps(f"{key} is {value if isinstance(value, str) else wanted}")
    return [f"pm.test({told}, () => pm.expect(answer.{key}).to.eql({wanted}));"]


def folder(name: str, description: str, items: list[Json]) -> Json:
    """A folder with these requests."""
    return {"name": name, "description": description, "item": items}


def item(name: str, request: Json, before: list[str], tests: list[str]) -> Json:
    """A request with what runs before it is sent, and its tests once it is answered."""
    events = [("prerequest", before), ("test", tests)]
    return {
        "name": name,
        "event": [
            {"listen": listen, "script": {"type": "text/javascript", "exec": lines}}
            for listen, lines in events
            if lines
        ],
        "request": request,
    }


def request(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: Any,  # noqa: ANN401 - JSON, or a text as it is
    auth: Json | None = None,
    query: Mapping[str, str] | None = None,
) -> Json:
    """A request: `auth` as Postman writes it, None for the collection's own."""
    written = "&".join(f"{key}={value}" for key, value in (query or {}).items())
    url: Json = {
        "raw": "{{baseUrl}}" + path + (f"?{written}" if written else ""),
        "host": ["{{baseUrl}}"],
        "path": path.removeprefix("/").split("/"),
    }
    if query:
        url["query"] = [{"key": key, "value": value} for key, value in query.items()]
    made: Json = {
        "method": method,
        "header": [{"key": key, "value": value} for key, value in headers.items()],
        "url": url,
    }
    if auth is not None:
        made["auth"] = auth
    if body is not None:
        made["body"] = _raw(body, headers)
    return made


def _raw(body: Any, headers: Mapping[str, str]) -> Json:  # noqa: ANN401 - JSON, or a text as it is
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    language = "json" if not isinstance(body, str) or "json" in kind else "xml" if "xml" in kind else "text"
    text = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
    return {"mode": "raw", "raw": text, "options": {"raw": {"language": language}}}
