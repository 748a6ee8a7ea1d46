"""cobrowse-bridge send: a delivery, signed as the sender would sign it."""

import sys
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection
from pathlib import Path
from urllib.parse import SplitResult
from uuid import uuid4

import click
import orjson

from cobrowse.clock import SystemClock
from commands.group import Command, Failure
from commands.senders import load_configured_senders
from commands.terminal import echo_json, echo_unwrapped
from integrations.senders.auth.config import AuthParts
from integrations.senders.auth.scheme import CanNotSignError
from integrations.senders.registry import Sender
from integrations.senders.response_policies import acknowledgement
from integrations.senders.sample_deliveries import Replacements, sample_delivery, sample_names
from sandbox.state import OF_CHANNEL
from schemas.addresses import http_url
from settings import SettingsError, load_settings
from web.responses import is_success_message

# What says whether the org is a sandbox.
ORG = ("SANDBOX", "GENESYS_API_URL", "GENESYS_LOGIN_URL")
# Seconds to wait for the service's answer: longer than any sender's deadline.
TIMEOUT_SECONDS = 60.0


def parse_url(text: str) -> SplitResult:
    """The parts of the service's address."""
    parts = http_url(text)
    if parts is None or parts.query or parts.fragment or parts.username:
        raise click.BadParameter(f"{text[:100]!r} is not an address such as http://127.0.0.1:8000")
    return parts


def parse_header(text: str) -> tuple[str, str]:
    """The name and the value of `Name: value`."""
    name, colon, rest = text.partition(":")
    if not colon or not name.strip() or not name.isascii() or any(char in text for char in "\r\n"):
        raise click.BadParameter(f"{text[:100]!r} is not a header such as 'X-Name: value'")
    return name.strip(), rest.strip()


@click.command(cls=Command)
@click.argument("sender")
@click.option("--file", "payload", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The body.")
@click.option("--example", is_flag=True, help="Send the example delivery that docs/senders.md has for SENDER.")
@click.option("--conversation", help="With --example: a conversation that there is; a sandbox has one of its own.")
@click.option(
    "--url",
    type=parse_url,
    metavar="URL",
    default="http://127.0.0.1:8000",
    show_default=True,
    help="Where the service is.",
)
@click.option("--header", "extra", type=parse_header, metavar="HEADER", multiple=True, help="One more: 'Name: value'.")
@click.option("--expect-ignored", is_flag=True, help="Exit 0 if the service ignored the event, and only then.")
@click.option("--json", "as_json", is_flag=True, help="Print the response's body, and nothing else.")
def send(
    sender: str,
    payload: Path | None,
    example: bool,
    conversation: str | None,
    url: SplitResult,
    extra: tuple[tuple[str, str], ...],
    expect_ignored: bool,
    as_json: bool,
) -> None:
    """Post a payload as SENDER would. It is signed with its first secret; FILE holds the body as it is sent.

    An example is a new delivery each time: its id and its times are of now.

    Exits 0 if a session was started or found live, else 1.
    """
    all_senders = load_configured_senders()
    row = all_senders.get(sender)
    if row is None:
        if not all_senders:
            raise SettingsError(["SENDERS_FILE: names no file that has a sender; copy senders.example.toml"])
        names = ", ".join(each.name for each in all_senders)
        raise click.UsageError(f"There is no sender {sender!r}; known senders: {names}.")
    if (payload is None) == (not example):
        raise click.UsageError("Name either --file FILE or --example.")
    if example and not (conversation or load_settings(only=ORG).sandbox):
        raise click.UsageError("Name a conversation of your org that is live, with --conversation.")
    headers, body = _example(row, conversation) if payload is None else ({}, payload.read_bytes())
    headers = {"Content-Type": row.content_type, **headers, **dict(extra)}
    status, response_headers, content = _post(row, body, url, headers, quiet=as_json)
    document = _parse_json(content)
    if not as_json:
        echo_unwrapped(f"< HTTP {status}")
        for name in ("Content-Type", "Retry-After", "Idempotent-Replayed", "ININ-Correlation-Id"):
            if response_headers.get(name):
                echo_unwrapped(f"< {name}: {response_headers[name]}")
    if document is not None:
        echo_json(document)
    else:
        echo_unwrapped(*(f"  {line}" for line in content.decode(errors="replace").split("\n")))
    sys.exit(0 if status < 300 and is_as_expected(document or content, ignored=expect_ignored) else 1)


def is_as_expected(document: object, *, ignored: bool) -> bool:
    """Whether an answer says that the session was started, or with `ignored` that nothing was to be.

    It is JSON, for a chat JSON with a text, or the SOAP envelope that Salesforce reads, which says both alike.
    """
    if isinstance(document, bytes):
        return acknowledgement(accepted=True) == document
    if isinstance(document, dict) and isinstance(document.get("text"), str):
        return is_success_message(document["text"], ignored=ignored)
    answers = document.get("results", [document]) if isinstance(document, dict) else []
    if not isinstance(answers, list) or not all(isinstance(response, dict) for response in answers):
        return False
    expected = [
        response.get("status") == "ignored" if ignored else response.get("success") is True for response in answers
    ]
    return bool(expected) and all(expected)


def _example(row: Sender, conversation: str | None) -> tuple[dict[str, str], bytes]:
    """The row's example as a delivery of now. UsageError if docs/senders.md shows none of its name."""
    sample = sample_delivery(row.name)
    if sample is None:
        raise click.UsageError(
            f"There is no example of the name {row.name!r}; use --file, or a row named {', '.join(sample_names())}."
        )
    now = SystemClock().now()
    milliseconds = int(now.timestamp() * 1000)
    conversation_id = conversation or OF_CHANNEL[sample.channel]
    headers, body = sample.render(
        Replacements(conversation_id, str(uuid4()), str(milliseconds), str(milliseconds // 1000), now.isoformat())
    )
    return headers, body.encode()


def _post(
    row: Sender, body: bytes, url: SplitResult, headers: dict[str, str], *, quiet: bool
) -> tuple[int, HTTPMessage, bytes]:
    path = f"{url.path.rstrip('/')}/webhooks/{row.name}"
    try:
        auth_parts = row.sign("POST", path, body, SystemClock().now(), headers)
    except CanNotSignError as error:
        if not any(name.lower() == "authorization" for name in headers):
            hint = "Send one that you have made elsewhere: --header 'Authorization: …'."
            raise Failure(f"{row.name}'s delivery can't be signed here: {error}.", hint) from None
        auth_parts = AuthParts()
    headers = {**headers, **auth_parts.headers}
    if not quiet:
        echo_unwrapped(f"> POST {path}{'?•••' if auth_parts.query else ''}")
        for name, value in headers.items():
            echo_unwrapped(f"> {name}: {'•••' if _is_secret(name, auth_parts) else value}")
        echo_unwrapped(">", f"> {len(body)} bytes", "")
    connection = (HTTPSConnection if url.scheme == "https" else HTTPConnection)(
        url.hostname or "", url.port, timeout=TIMEOUT_SECONDS
    )
    try:
        connection.request("POST", auth_parts.target(path), body, headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    except (OSError, HTTPException) as error:
        base_url = f"{url.scheme}://{url.netloc}"
        raise Failure(f"No answer from {base_url}: {error}", "Is the service running? --url says where.") from None
    finally:
        connection.close()


def _is_secret(name: str, auth_parts: AuthParts) -> bool:
    """Whether a header is not to be shown: what proves the sender, but for its ids and times."""
    return name.lower() == "authorization" or (
        name in auth_parts.headers and not name.lower().endswith(("-timestamp", "-id"))
    )


def _parse_json(content: bytes) -> object:
    """The body as JSON; None if it is none."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
