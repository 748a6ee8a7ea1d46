"""This side: who may call, each sender's row, the ledger, and whether the public URL leads here."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from diagnostics.connectivity import Unreachable
from diagnostics.context import Check, DiagnosticContext
from integrations.ledger.migrations import VERSION
from integrations.senders.auth.credentials import ApiKeys
from integrations.senders.fetching import FetchError, exchange
from integrations.senders.rate_limit import RateLimiter
from integrations.senders.registry import Sender, SendersFileError, load_senders

_ROW = re.compile(r"\[senders\.([^\]]*)\] (.*)", re.DOTALL)
_UNSET = re.compile(r"\$(\w+) is not set")


def api_keys(context: DiagnosticContext) -> Iterator[Check]:
    """The data action's keys: whose they are, never what they are."""
    try:
        keys = ApiKeys.parse(context.settings.api_keys.reveal())
    except ValueError as error:
        hint = "Write API_KEYS as name:key pairs with keys of 16 bytes or more, separated by commas."
        yield Check("API keys", False, str(error).replace("\n", "; "), hint)
        return
    names = dict.fromkeys(name for name, _ in keys.pairs)
    if names:
        yield Check("API keys", True, f"{len(keys.pairs)} for {', '.join(names)}")
    elif context.settings.sandbox:
        yield Check("API keys", True, "none: anyone may call, as Genesys is a sandbox")
    else:
        yield Check("API keys", True, "none, so no data action can call; the senders below may")


def senders(context: DiagnosticContext) -> Iterator[Check]:
    """Each sender's row."""
    settings = context.settings
    if not settings.senders_file:
        yield Check("senders", None, "SENDERS_FILE is not set: data actions are the only callers")
        return
    file = Path(settings.senders_file)
    try:
        configured = load_senders(
            file, context.environ, public_base_url=settings.public_base_url, trusted_proxies=settings.trusted_proxies
        )
    except SendersFileError as error:
        yield from _row_error_checks(file, error.errors)
        return
    if not configured and configured.listen is None:
        yield Check("senders", False, f"{file.name} has no sender", "Add a [senders.NAME], or leave SENDERS_FILE out.")
    for sender in configured:
        yield Check(f"sender {sender.name}", True, _row(sender))


def rates(context: DiagnosticContext) -> Iterator[Check]:
    """Where senders' rates are counted."""
    storage = context.settings.rate_limit_storage.reveal()
    try:
        RateLimiter(storage, context.clock).ping()
    except ValueError as error:
        yield Check("rates", False, str(error), "Set RATE_LIMIT_STORAGE as .env.example shows.")
        return
    scheme = storage.partition(":")[0]
    yield Check("rates", True, "counted by each worker for itself" if scheme == "memory" else f"counted in {scheme}")


def ledger(context: DiagnosticContext) -> Iterator[Check]:
    """Whether the ledger can be written, and whether its tables fit this service."""
    store = context.ledger
    if store is None:
        hint = "Correct LEDGER_URL or LEDGER_KEYS; .env.example shows the forms."
        yield Check("ledger", False, context.ledger_error, hint)
        return
    store.ping()
    store.recent(1)
    yield Check("ledger", True, f"{store.location} can be written; its tables fit this service (version {VERSION})")


def public_url(context: DiagnosticContext) -> Iterator[Check]:
    """Whether the address that senders use leads to this service."""
    url = context.settings.public_base_url
    if not url:
        yield Check("public URL", None, "PUBLIC_BASE_URL is not set; only senders that sign the URL need it")
        return
    if context.settings.sandbox and (urlsplit(url).hostname or "").endswith(".example.com"):
        yield Check("public URL", None, f"{url} is an example: senders on the sandbox sign it, and it leads nowhere")
        return
    if urlsplit(url).scheme != "https" and not context.settings.sandbox:
        hint = "Put TLS in front and set PUBLIC_BASE_URL to the https address: Genesys and CRMs call no other."
        yield Check("public URL", False, f"{url} is not https", hint)
        return
    try:
        context.probe.addresses(url)
        answer = context.probe.get(url, "/healthz")
    except Unreachable as error:
        hint = f"{error.hint} Is the service started, and can this machine reach its own public address?"
        if error.untrusted:
            hint = "Senders won't trust this certificate: use one of a public authority, with its whole chain."
        yield Check("public URL", False, error.message, hint)
        return
    if answer.status == 200 and b'"status"' in answer.body:
        yield Check("public URL", True, f"{url} leads to a running service")
        yield from _check_last_reload(context, url)
        return
    hint = "Something else answers there: let the proxy pass every path to this service, and check PUBLIC_BASE_URL."
    yield Check("public URL", False, f"{url}/healthz answers {answer.status}, and not as this service does", hint)


def outcome_webhook(context: DiagnosticContext) -> Iterator[Check]:
    """Whether the receiver of callbacks can be reached, by a GET of its root; no event is sent to it."""
    url = context.settings.outcome_webhook_url.reveal()
    if not url:
        yield Check("outcome webhook", None, "OUTCOME_WEBHOOK_URL is not set: no outcome is sent")
        return
    parts = urlsplit(url)
    try:
        exchange(f"{parts.scheme}://{parts.netloc}/", context.probe.timeout)
    except FetchError as error:
        hint = (
            "Check the URL, the way to it and its certificate: SSL_CERT_FILE names authorities of your own. "
            "Outcomes wait meanwhile, for a day."
        )
        yield Check("outcome webhook", False, str(error), hint)
    else:
        found = f"{parts.hostname} answers; whether it takes the signature shows at the first outcome"
        yield Check("outcome webhook", True, found)


def _check_last_reload(context: DiagnosticContext, url: str) -> Iterator[Check]:
    """Whether the running service has refused its last reload, which /readyz says to everybody."""
    try:
        answer = context.probe.get(url, "/readyz")
        document = orjson.loads(answer.body)
    except (Unreachable, orjson.JSONDecodeError):
        return  # not passed on by a proxy, which is nothing wrong
    checks = document.get("checks") if isinstance(document, dict) else None
    if isinstance(checks, dict) and "configuration" in checks:
        hint = "Its log names each error. Correct the senders file or .env, check it as above, and send SIGHUP again."
        found = f"the service at {url} refused its last reload and runs on its former configuration"
        yield Check("reload", False, found, hint)


def _row(sender: Sender) -> str:
    secrets = f", {len(sender.secrets)} secret{'s' * (len(sender.secrets) != 1)}" if sender.secrets else ""
    return f"{sender.signature}, {sender.envelope}{secrets}: POST /webhooks/{sender.name}"


def _row_error_checks(file: Path, errors: list[str]) -> Iterator[Check]:
    """The errors by row, and the rows without errors."""
    by_name: dict[str, list[str]] = {}
    for line in errors:
        match = _ROW.search(line)
        name, message = (f"sender {match[1]}", match[2]) if match else ("senders", line)
        by_name.setdefault(name, []).append(message)
    for name in _names(file):
        by_name.setdefault(f"sender {name}", [])
    for name, row_errors in by_name.items():
        if not row_errors:
            yield Check(name, True, "its row is valid")
            continue
        unset = [found for line in row_errors for found in _UNSET.findall(line)]
        hint = (
            f"Correct the row in {file.name}; senders.example.toml explains every key. "
            "A service that runs keeps the rows that it has until a SIGHUP finds them valid."
        )
        if unset:
            hint = f"Set {', '.join(unset)} in the service's environment or .env, as the sender has it."
        yield Check(name, False, "; ".join(row_errors), hint)


def _names(file: Path) -> list[str]:
    try:
        rows = tomllib.loads(file.read_text("utf-8-sig")).get("senders", {})
    except (OSError, ValueError):
        return []
    return [name[:60] for name in rows] if isinstance(rows, dict) else []
