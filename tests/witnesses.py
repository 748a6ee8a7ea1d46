"""What of the service's doings may hold nothing secret, as bytes to look through: answers, tracebacks, files, spans.

Exempt, since that is what they are for: the links and the code of a session in the answer of a success, for the caller
who asked; the made-up samples in /openapi.json and /docs; a ledger's own key file; the sandbox's greeting, which tells
its published credential; the variables of those frames that are handed the headers as they came, to look for a
credential in them, and of code that is not ours.
"""

import base64
import binascii
import html
import json
import os
import re
import traceback as standard
from pathlib import Path
from urllib.parse import unquote_to_bytes

from opentelemetry.sdk.trace import SpanProcessor

from tools.api_reference import samples

ROOT = Path(__file__).resolve().parents[1]
# Headers that authenticate a caller: keys, tokens, signatures.
_PROVES = re.compile(r"authorization|signature(?!.*timestamp)|api-?key|token|secret|hmac", re.IGNORECASE)
_LINKS = ("joinUrl", "viewerUrl")
_CODE = "joinCode"
# The ledger and its write-ahead log, the workers' counts, and the logs of processes of our own.
_KEPT = re.compile(r"\.sqlite3(-wal|-shm|-journal)?$|/cobrowse-metrics-[^/]*/[^/]*\.db$|\.log$")
_KEYS = re.compile(r"\.sqlite3\.key$")
_GREETING = b"(client id sandbox, secret sandbox-secret)"
_HANDED_HEADERS = ("integrations/senders/", "web/request_parsing.py")
_SESSIONS = [outcome.session for outcome in samples.OUTCOMES.values()]
_MADE_UP = {value.reveal() for one in _SESSIONS for value in (one.join_url, one.viewer_url, one.join_code) if value}
_SAMPLES = re.compile("|".join(map(re.escape, _MADE_UP)).encode())


def secrets(settings, environ):
    """The secrets among a service's settings, and those of `environ` that its senders file names."""
    pairs = settings.api_keys.reveal().replace(",", " ").split()
    named = re.findall(r"\$([A-Z0-9_]+)", Path(settings.senders_file).read_text()) if settings.senders_file else ()
    return [
        *(pair.partition(":")[2] for pair in pairs),
        *(environ[name] for name in named if name in environ),
        *(key.reveal() for key in settings.ledger_keys),
        *(
            each.reveal()
            for each in (
                settings.console_password,
                settings.console_oidc_client_secret,
                settings.genesys_client_secret,
                settings.metrics_token,
            )
        ),
        settings.genesys_user_client_secret.reveal(),
    ]


def own_keys(folder):
    """The keys that ledgers in this folder have made for themselves."""
    return [key for path in _found(folder, _KEYS) for key in path.read_text(errors="replace").split()]


def credentials(request):
    """A request's credentials, as sent and as decoded."""
    found = set()
    for name, value in request.headers.items():
        if _PROVES.search(name):
            sent = value.encode(errors="replace")
            scheme, _, rest = sent.partition(b" ")
            found |= {sent, rest.strip()}
            if scheme.lower() == b"basic":
                found.add(_password(rest))
    pairs = request.query_string.split(b"&")
    return found | {unquote_to_bytes(pair[5:]) for pair in pairs if pair.startswith(b"code=")}


def _password(encoded):
    try:
        return base64.b64decode(encoded, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def answer(request, response):
    """An answer's bytes but for what is its caller's own; and that: links, and codes."""
    head = str(response.headers).encode(errors="replace")
    if response.is_streamed:
        return head, [], []  # a file of the repository's
    body = response.get_data()
    if request.path in ("/openapi.json", "/docs"):
        return head + _SAMPLES.sub(b"", body), [], []
    if response.mimetype == "application/json":
        body, links, codes = _without_own(json.loads(body))
        return head + body, links, codes
    return head + html.unescape(body.decode(errors="replace")).encode(errors="replace"), [], []


def _without_own(told):
    links, codes = [], []
    whole = told if isinstance(told, dict) else {}
    for one in (whole, *(whole.get("results") or ())):
        if one.get("success") is True:
            links += [one.pop(name, "") for name in _LINKS]
            codes += filter(None, [one.pop(_CODE, "")])
    return json.dumps(told, ensure_ascii=False).encode(errors="replace"), links, codes


def traceback(failure, root=ROOT):
    """A failure with the variables of our own frames, as error trackers show it, and whatever it came from."""
    told = standard.TracebackException.from_exception(failure, capture_locals=True)
    _only_ours(told, f"{root}/")
    return "".join(told.format())


def _only_ours(told, root):
    for frame in told.stack:
        path = frame.filename.removeprefix(root)
        if path == frame.filename or path.startswith(_HANDED_HEADERS) or "site-packages" in path:
            frame.locals = None
    for other in (told.__cause__, told.__context__):
        if other is not None:
            _only_ours(other, root)


def files(folder):
    """What the service has written and left in a test's folder, by name."""
    for path in _found(folder, _KEPT):
        yield f"the file {path.name}", path.read_bytes().replace(_GREETING, b"")


def _found(folder, pattern):
    """The files below a folder whose path matches, in one walk: a test's folder may have a whole environment in it."""
    for place, _, names in os.walk(folder):
        for name in names:
            if pattern.search(f"{place}/{name}") and (path := Path(place, name)).is_file():
                yield path


class Spans(SpanProcessor):
    """Hands every span that ends to `saw`, whole."""

    def __init__(self, saw):
        self._saw = saw

    def on_end(self, span):
        self._saw("a span", span.to_json(indent=None))
