"""flask cobrowse senders, flask cobrowse send: what is configured, and a delivery signed as the sender would."""

import os
import sys
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import click
import orjson

from app import load_auth
from cobrowse.clock import SystemClock
from commands.group import cobrowse, report_settings_errors
from commands.terminal import say, say_json
from integrations.senders.auth.config import AuthParts
from integrations.senders.auth.scheme import CanNotSignError
from integrations.senders.registry import Sender, SendersFileError, load_senders
from integrations.senders.sample_deliveries import Replaced, sample_delivery, sample_names
from settings import load_settings

# The conversations that every sandbox has, by their channels.
ON_SANDBOX = {
    "webchat": "11111111-1111-4111-8111-111111111111",
    "voice": "22222222-2222-4222-8222-222222222222",
    "message": "33333333-3333-4333-8333-333333333333",
}
# Seconds to wait for the service's answer: longer than any sender's deadline.
PATIENCE = 60.0


@cobrowse.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.pass_context
def senders(context: click.Context, as_json: bool) -> None:
    """List the senders that are configured, with their secrets masked."""
    if context.invoked_subcommand is None:
        _listed(as_json)


@senders.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Validate FILE as a start would, with the secrets of this environment; nothing is started."""
    environ = os.environ
    try:
        found = load_senders(
            file,
            environ,
            public_base_url=environ.get("PUBLIC_BASE_URL", ""),
            trusted_proxies=tuple(environ.get("TRUSTED_PROXIES", "").replace(",", " ").split()),
        )
    except SendersFileError as error:
        say(*error.errors, err=True)
        sys.exit(2)
    for sender in found:
        say(f"{sender.name}: valid", *(f"  warning: {warning}" for warning in sender.warnings))


@report_settings_errors
def _listed(as_json: bool) -> None:
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
    handshake = f"handshake {row['handshake']}" if row["handshake"] else ""
    allowed = (
        f"from {', '.join(map(str, row['allowFrom']))}"
        if isinstance(row["allowFrom"], list) and row["allowFrom"]
        else ""
    )
    return ", ".join(part for part in (rate, unchecked, handshake, allowed) if part)


@cobrowse.command()
@click.argument("sender")
@click.option("--file", "payload", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The body.")
@click.option("--example", is_flag=True, help="Send the delivery that docs/senders.md shows for SENDER.")
@click.option("--conversation", help="With --example: a conversation that there is; a sandbox has one of its own.")
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where the service is.")
@click.option("--header", "extra", multiple=True, help="Additional header, as 'Name: value'.")
@report_settings_errors
def send(
    sender: str, payload: Path | None, example: bool, conversation: str | None, url: str, extra: tuple[str, ...]
) -> None:
    """Post a payload as SENDER would, signed with its first secret, and print the response.

    FILE holds the body as it is to be sent. An example is a new delivery each time: its id and its times are of now.
    """
    settings = load_settings()
    _, known, _ = load_auth(settings, SystemClock())
    row = known.get(sender)
    if row is None:
        names = ", ".join(each.name for each in known) or "none is configured"
        raise click.UsageError(f"There is no sender {sender!r}; known senders: {names}.")
    if (payload is None) == (not example):
        raise click.UsageError("Name either --file FILE or --example.")
    if example and not (conversation or settings.sandbox):
        raise click.UsageError("Name a conversation of your org that is live, with --conversation.")
    headers, body = _example(row, conversation) if payload is None else ({}, payload.read_bytes())
    headers = {"Content-Type": row.content_type, **headers, **dict(line.split(": ", 1) for line in extra)}
    path = f"{urlsplit(url).path.rstrip('/')}/webhooks/{sender}"
    try:
        signed = row.sign("POST", path, body, SystemClock().now(), headers)
    except CanNotSignError as error:
        if not any(line.lower().startswith("authorization:") for line in extra):
            raise click.ClickException(f"{sender}'s delivery can't be signed here: {error}.") from None
        signed = AuthParts()
    headers |= signed.headers
    say(f"> POST {path}{'?•••' if signed.query else ''}")
    for name, value in headers.items():
        say(f"> {name}: {'•••' if _is_secret(name, signed) else value}")
    say(">", f"> {len(body)} bytes of {payload or 'the example'}", "")
    place = urlsplit(url)
    status, told, content = _exchange(place.scheme, place.netloc, signed.target(path), body, headers)
    say(f"< HTTP {status}")
    for name in ("Content-Type", "Retry-After", "Idempotent-Replayed", "ININ-Correlation-Id"):
        if told.get(name):
            say(f"< {name}: {told[name]}")
    _show(content)
    sys.exit(0 if status < 300 else 1)


def _example(row: Sender, conversation: str | None) -> tuple[dict[str, str], bytes]:
    """The row's example as a delivery of now. UsageError if docs/senders.md shows none of its name."""
    sample = sample_delivery(row.name)
    if sample is None:
        raise click.UsageError(
            f"There is no example of the name {row.name!r}; use --file, or a row named {', '.join(sample_names())}."
        )
    now = SystemClock().now()
    milliseconds = int(now.timestamp() * 1000)
    about = conversation or ON_SANDBOX[sample.channel]
    headers, body = sample.made_another(
        Replaced(about, str(uuid4()), str(milliseconds), str(milliseconds // 1000), now.isoformat())
    )
    return headers, body.encode()


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


def _is_secret(name: str, signed: AuthParts) -> bool:
    """Whether a header is not to be shown: what proves the sender, but for its ids and times."""
    return name.lower() == "authorization" or (
        name in signed.headers and not name.lower().endswith(("-timestamp", "-id"))
    )


def _show(content: bytes) -> None:
    try:
        say_json(orjson.loads(content))
    except orjson.JSONDecodeError:
        say(*(f"  {line}" for line in content.decode(errors="replace").split("\n")))
