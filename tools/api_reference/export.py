"""The files that are made from the code and kept in the repository; `cobrowse-bridge export` writes them."""

import base64
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from integrations.senders.registry import Senders, load_senders
from tools.api_reference import postman
from tools.api_reference.data_action import action
from tools.api_reference.openapi import document

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = "senders.example.toml"


def _json(content: Any) -> str:  # noqa: ANN401 - whatever JSON there is
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _openapi() -> Mapping[str, str]:
    return {"deploy/openapi.json": _json(document())}


def _data_action() -> Mapping[str, str]:
    return {"deploy/genesys/Start-Cobrowse.custom.json": _json(action())}


def sandbox_secrets() -> dict[str, str]:
    """A secret for each variable of the example file: public, and of use against a sandbox only."""
    found = {}
    for row in tomllib.loads((ROOT / EXAMPLE).read_text("utf-8"))["senders"].values():
        for reference in row.get("secrets", ()):
            name = reference.removeprefix("$")
            secret = f"sandbox-only-{name.lower().replace('_', '-')}"
            standard = row["signature"] == "standard-webhooks"
            found[name] = f"whsec_{base64.b64encode(secret.encode()).decode()}" if standard else secret
    return found


def example_senders() -> Senders:
    """The senders of the example file, with those secrets."""
    return load_senders(ROOT / EXAMPLE, sandbox_secrets(), public_base_url=postman.PUBLIC_URL)


def _postman() -> Mapping[str, str]:
    senders, secrets = example_senders(), sandbox_secrets()
    variables = {"SENDERS_FILE": EXAMPLE, "PUBLIC_BASE_URL": postman.PUBLIC_URL, **secrets}
    lines = [
        "# What the service needs to answer the whole Postman collection against a sandbox. Public: no real secrets.",
        *(f"{name}={value}" for name, value in variables.items()),
    ]
    return {
        "deploy/postman/cobrowse-bridge.postman_collection.json": _json(postman.collection(senders)),
        "deploy/postman/cobrowse-bridge.postman_environment.json": _json(postman.environment(senders)),
        "deploy/postman/sandbox.postman_environment.json": _json(postman.environment(senders, secrets)),
        "deploy/postman/sandbox.env": "\n".join(lines) + "\n",
    }


KINDS: Mapping[str, Callable[[], Mapping[str, str]]] = {
    "openapi": _openapi,
    "postman": _postman,
    "data-action": _data_action,
}


def render(kind: str | None = None) -> dict[str, str]:
    """Each file's path from the root, with its text: those of one kind, or all. KeyError for a kind there isn't."""
    makers = KINDS.values() if kind is None else [KINDS[kind]]
    return {path: text for make in makers for path, text in make().items()}


def stale(kind: str | None = None, root: Path = ROOT) -> list[str]:
    """The paths whose file is absent or says something else."""
    return [path for path, text in render(kind).items() if _text(root / path) != text]


def write(kind: str | None = None, root: Path = ROOT) -> list[str]:
    """Write what is stale and give those paths."""
    written = stale(kind, root)
    texts = render(kind)
    for path in written:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(texts[path], "utf-8")
    return written


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
