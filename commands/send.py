"""cobrowse-bridge send: a delivery, signed as the sender would sign it."""

import sys
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import click
import orjson

from cobrowse.clock import SystemClock
from commands.group import Command, Failure
from commands.senders import configured_senders
from commands.terminal import say_json, say_whole
from integrations.senders.registry import Sender

# Seconds to wait for the service's answer: longer than any sender's deadline.
PATIENCE = 60.0


class Url(click.ParamType[SplitResult]):
    """The service's address."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> SplitResult:  # noqa: ANN401 - click's own
        """The address's parts."""
        parts = value if isinstance(value, SplitResult) else None
        try:
            parts = parts or urlsplit(str(value))
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if parts is None or not good or parts.query or parts.fragment or parts.username:
            self.fail(f"{str(value)[:100]!r} is not an address such as http://127.0.0.1:8000", param, ctx)
        return parts


class Header(click.ParamType[tuple[str, str]]):
    """A header as `Name: value`."""

    name = "header"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:  # noqa: ANN401 - click's own
        """The header's name and value."""
        name, colon, rest = str(value).partition(":")
        if not colon or not name.strip() or not name.isascii() or any(char in str(value) for char in "\r\n"):
            self.fail(f"{str(value)[:100]!r} is not a header such as 'X-Name: value'", param, ctx)
        return name.strip(), rest.strip()


@click.command(cls=Command)
@click.argument("sender")
@click.option("--file", "payload", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", type=Url(), default="http://127.0.0.1:8000", show_default=True, help="Where the service is.")
@click.option("--header", "extra", type=Header(), multiple=True, help="Additional header, as 'Name: value'.")
@click.option("--expect-ignored", is_flag=True, help="Exit 0 if the service ignored the event, and only then.")
@click.option("--json", "as_json", is_flag=True, help="Print the response's body, and nothing else.")
def send(
    sender: str,
    payload: Path,
    url: SplitResult,
    extra: tuple[tuple[str, str], ...],
    expect_ignored: bool,
    as_json: bool,
) -> None:
    """Post a payload as SENDER would. It is signed with its first secret; FILE holds the body as it is sent.

    Exits 0 if a session was started or found live, else 1.
    """
    known = configured_senders()
    row = known.get(sender)
    if row is None:
        names = ", ".join(each.name for each in known) or "none is configured"
        raise click.UsageError(f"There is no sender {sender!r}; known senders: {names}.")
    status, told, content = _post(row, payload, url, dict(extra), quiet=as_json)
    document = _parsed(content)
    if not as_json:
        say_whole(f"< HTTP {status}")
        for name in ("Content-Type", "Retry-After", "Idempotent-Replayed", "ININ-Correlation-Id"):
            if told.get(name):
                say_whole(f"< {name}: {told[name]}")
    if document is not None:
        say_json(document)
    else:
        say_whole(*(f"  {line}" for line in content.decode(errors="replace").split("\n")))
    sys.exit(0 if status < 300 and is_as_expected(document, ignored=expect_ignored) else 1)


def is_as_expected(document: object, *, ignored: bool) -> bool:
    """Whether an answer says that the session was started, or with `ignored` that nothing was to be."""
    answers = document.get("results", [document]) if isinstance(document, dict) else []
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        return False
    wanted = [answer.get("status") == "ignored" if ignored else answer.get("success") is True for answer in answers]
    return bool(wanted) and all(wanted)


def _post(
    row: Sender, payload: Path, url: SplitResult, extra: dict[str, str], *, quiet: bool
) -> tuple[int, HTTPMessage, bytes]:
    body = payload.read_bytes()
    path = f"{url.path.rstrip('/')}/webhooks/{row.name}"
    signed = row.sign("POST", path, body, SystemClock().now())
    kind = "text/xml" if row.envelope == "salesforce-outbound-message" else "application/json"
    headers = {"Content-Type": kind, **extra, **signed.headers}
    if not quiet:
        say_whole(f"> POST {path}{'?•••' if signed.query else ''}")
        for name, value in headers.items():
            say_whole(f"> {name}: {'•••' if name in signed.headers and not _is_public(name) else value}")
        say_whole(">", f"> {len(body)} bytes of {payload}", "")
    connection = (HTTPSConnection if url.scheme == "https" else HTTPConnection)(
        url.hostname or "", url.port, timeout=PATIENCE
    )
    try:
        connection.request("POST", signed.target(path), body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    except (OSError, HTTPException) as error:
        where = f"{url.scheme}://{url.netloc}"
        raise Failure(f"No answer from {where}: {error}", "Is the service running? --url says where.") from None
    finally:
        connection.close()


def _is_public(name: str) -> bool:
    """Whether a header of a signature may be shown: ids and times, not the signature or key itself."""
    return name.lower().endswith(("-timestamp", "-id"))


def _parsed(content: bytes) -> object:
    """The body as JSON; None if it is none."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
