"""Masks secrets in text that comes from upstream: an upstream or a gateway may quote the request in its error.

Each pattern is linear in the text: it starts at a character that no other match can start inside of, and what it takes
is decided by a function rather than by trying again from the next character.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from cobrowse.model import Secret, Session

MASK = "•••"
# Characters below which a secret is too common to be searched for; a join code has six.
MIN_MASKED_LENGTH = 4

_NAMES = (
    "authorization|x-api-key|api[-_]?key|client[-_]?secret|secret|password|passwd|assertion|"
    "(?:access|refresh|id)[-_]?token|join[-_]?code|set-cookie|cookie"
)
_SCHEME = re.compile(r"\b(bearer|basic|digest|negotiate)(\s+|\s*[:=]\s*)[^\s\"',;]{6,}", re.IGNORECASE)
_NAMED = re.compile(rf"(?<![A-Za-z])({_NAMES})([\"'\\]*\s{{0,8}}[:=]\s{{0,8}}[\"'\\]*)[^\s\"',;&]+", re.IGNORECASE)
_URL_REST = re.compile(r"://[^\s\"'<>]+")
_QUERY = re.compile(r"\?[^\s\"'<>]*")
_RUN = re.compile(r"[A-Za-z0-9_+/.~%-]{20,}=*")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
# Runs of this many characters are masked without a digit too: no word or identifier of an error is that long.
_NO_WORD = 40


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with credentials, and queries and user info of URLs, as dots; `secrets` are masked anywhere.

    Conversation ids, error codes, host names and paths stay.
    """
    # The longest first, so that no part of it is masked before the whole.
    for value in sorted({form for one in secrets for form in _spellings(one)}, key=len, reverse=True):
        text = text.replace(value, MASK)
    text = _SCHEME.sub(rf"\1 {MASK}", text)
    text = _NAMED.sub(rf"\1\2{MASK}", text)
    text = _URL_REST.sub(lambda found: _bare(found[0]), text)
    text = _QUERY.sub(lambda found: f"?{MASK}" if "=" in found[0] or MASK in found[0] else found[0], text)
    return _RUN.sub(lambda found: _mask_run(found[0]), text)


class Redactor:
    """`redact` for one call: `secrets`, its headers' credential, and its session's links and code are masked too."""

    def __init__(self, secrets: Sequence[Secret], session: Session, headers: Sequence[tuple[bytes, bytes]]) -> None:
        # In an object whose repr says nothing, since tools show the variables of a traceback's frames.
        self._secrets = secrets
        self._session = session
        self._headers = headers

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        return redact(text, self._known_secrets())

    def _known_secrets(self) -> Iterator[str]:
        links = (self._session.join_url, self._session.viewer_url, self._session.join_code)
        yield from (secret.reveal() for secret in (*self._secrets, *links))
        for name, value in self._headers:
            if name.lower() == b"authorization":
                credential = value.decode(errors="replace").partition(" ")[2]
                yield credential
                yield from _password(credential)


def _password(pair: str) -> Iterator[str]:
    try:
        decoded = base64.b64decode(pair, validate=True).decode()
    except (binascii.Error, ValueError):
        return
    if ":" in decoded:
        yield decoded
        yield decoded.partition(":")[2]


def _spellings(value: str) -> Iterator[str]:
    """A value as it is, percent-encoded, without its URL's scheme, and in base64."""
    if len(value) < MIN_MASKED_LENGTH:
        return
    # What comes from the environment may hold bytes that are not UTF-8.
    raw = value.encode(errors="surrogateescape")
    yield value
    yield quote(raw, safe="")
    if "://" in value:
        yield value.partition("://")[2]
    yield base64.b64encode(raw).decode().rstrip("=")
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bare(rest: str) -> str:
    """What follows a URL's scheme, without user info, query and fragment."""
    authority, slash, path = rest[3:].partition("/")
    before, at, host = authority.rpartition("@")
    authority = f"{MASK}@{host}" if at and before else authority
    kept = f"{authority}{slash}{path}"
    cut = min((place for place in (kept.find("?"), kept.find("#")) if place >= 0), default=-1)
    return f"://{kept}" if cut < 0 else f"://{kept[:cut]}?{MASK}"


def _mask_run(run: str) -> str:
    """A long run of characters with its random parts as dots: base64, hex, a JWT. UUIDs, names and paths stay."""
    if run.startswith("eyJ"):
        return MASK
    words = run.rstrip("=")
    if run != words or ("+" in run and _is_mixed(words)):
        return MASK
    return "/".join(_mask_segment(segment) for segment in run.split("/"))


def _mask_segment(segment: str) -> str:
    long = [part for part in segment.split(".") if len(part) >= 20 and not _UUID.fullmatch(part)]
    if any(len(part) >= _NO_WORD or _is_mixed(part) for part in long):
        return MASK
    return segment


def _is_mixed(part: str) -> bool:
    """Whether letters and digits are mixed as chance does, which no name of Genesys's is."""
    return any(character.isdigit() for character in part) and any(character.isalpha() for character in part)
