"""flask cobrowse senders, flask cobrowse send: what is configured, and a delivery signed as the sender would."""

import sys
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import click
import orjson

from app import load_auth
from cobrowse.clock import SystemClock
from commands.group import cobrowse, report_settings_errors
from commands.terminal import say, say_json
from settings import load_settings

# Seconds to wait for the service's answer: longer than any sender's deadline.
PATIENCE = 60.0


@cobrowse.command()
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@report_settings_errors
def senders(as_json: bool) -> None:
    """List the senders that are configured, with their secrets masked."""
    _, known, _ = load_auth(load_settings(), SystemClock())
    rows = known.masked()
    if as_json:
        say_json(rows)
        return
    if not rows:
        say("No senders are configured; copy senders.example.toml and set SENDERS_FILE. API_KEYS opens /data-actions.")
    for row in rows:
        say(f"{row['path']}")
        held = row["secrets"] if isinstance(row["secrets"], list) else []
        say(f"  {row['envelope']}, signed {row['signature']} {' '.join(held)}".rstrip())
        told = "200, and success in the body" if row["always200"] else f"response policy: {row['responsePolicy']}"
        say(f"  answered within {row['deadlineSeconds']:g} s, {told}")
        if extras := _extras(row):
            say(f"  {extras}")
        for warning in known.rows[str(row["name"])].warnings:
            say(f"  warning: {warning}")


def _extras(row: dict[str, object]) -> str:
    rate = f"at most {row['rateLimit']}" if row["rateLimit"] else ""
    unchecked = "" if row["reuseLiveSession"] else "a live session is not checked for first"
    return ", ".join(part for part in (rate, unchecked) if part)


@cobrowse.command()
@click.argument("sender")
@click.option("--file", "payload", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where the service is.")
@click.option("--header", "extra", multiple=True, help="Additional header, as 'Name: value'.")
@report_settings_errors
def send(sender: str, payload: Path, url: str, extra: tuple[str, ...]) -> None:
    """Post a payload as SENDER would, signed with its first secret, and print the response.

    FILE holds the body as it is to be sent.
    """
    settings = load_settings()
    _, known, _ = load_auth(settings, SystemClock())
    row = known.get(sender)
    if row is None:
        names = ", ".join(each.name for each in known) or "none is configured"
        raise click.UsageError(f"There is no sender {sender!r}; known senders: {names}.")
    body = payload.read_bytes()
    path = f"{urlsplit(url).path.rstrip('/')}/webhooks/{sender}"
    signed = row.sign("POST", path, body, SystemClock().now())
    kind = "text/xml" if row.envelope == "salesforce-outbound-message" else "application/json"
    headers = {"Content-Type": kind, **dict(line.split(": ", 1) for line in extra), **signed.headers}
    say(f"> POST {path}{'?•••' if signed.query else ''}")
    for name, value in headers.items():
        say(f"> {name}: {'•••' if name in signed.headers and not _is_public(name) else value}")
    say(">", f"> {len(body)} bytes of {payload}", "")
    place = urlsplit(url)
    status, told, content = _exchange(place.scheme, place.netloc, signed.target(path), body, headers)
    say(f"< HTTP {status}")
    for name in ("Content-Type", "Retry-After", "Idempotent-Replayed", "ININ-Correlation-Id"):
        if told.get(name):
            say(f"< {name}: {told[name]}")
    _show(content)
    sys.exit(0 if status < 300 else 1)


def _exchange(
    scheme: str, place: str, target: str, body: bytes, headers: dict[str, str]
) -> tuple[int, HTTPMessage, bytes]:
    connection = (HTTPSConnection if scheme == "https" else HTTPConnection)(place, timeout=PATIENCE)
    try:
        connection.request("POST", target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    except (OSError, HTTPException) as error:
        raise click.ClickException(f"No answer from {scheme}://{place}: {error}. Is the service running?") from None
    finally:
        connection.close()


def _is_public(name: str) -> bool:
    """Whether a header of a signature may be shown: ids and times, not the signature or key itself."""
    return name.lower().endswith(("-timestamp", "-id"))


def _show(content: bytes) -> None:
    try:
        say_json(orjson.loads(content))
    except orjson.JSONDecodeError:
        say(*(f"  {line}" for line in content.decode(errors="replace").split("\n")))
