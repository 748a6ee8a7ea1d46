"""Signed values and form tokens, the same-origin check, and the pages' security headers."""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import scrypt, sha256
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer

from cobrowse.model import Secret
from integrations.senders.auth.config import secret_bytes

# Nothing from other origins, nothing inline, no framing; forms go to the console only. Besides the default headers.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # Not no-referrer: a browser would then send `Origin: null` with our own form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Robots-Tag": "noindex",
}

# Seconds for which a page's form is valid and a person stays signed in: a shift.
SESSION_SECONDS = 43_200
# scrypt's cost: about 50 ms and 16 MB, once a process.
_COST = {"n": 2**14, "r": 8, "p": 1}


class Signer:
    """Signs values with a key derived from `key`, the same in every worker."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def sign(self, purpose: str, value: object) -> str:
        """The value signed for this purpose only. It is not encrypted."""
        return str(self._serializer.dumps(value, salt=purpose))

    def unsign(self, purpose: str, text: str, seconds: int = SESSION_SECONDS) -> Any:  # noqa: ANN401 - whatever was put in
        """The signed value; None if it was not signed here for this purpose, or more than `seconds` ago."""
        try:
            return self._serializer.loads(text, max_age=seconds, salt=purpose)
        except BadSignature:
            return None

    def token(self, subject: str) -> str:
        """The token for a form about this subject."""
        return self.sign("form", subject)

    def verify(self, token: str, subject: str) -> bool:
        """Whether it is a valid token for this subject."""
        return bool(self.unsign("form", token) == subject)

    @property
    def _serializer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(_derive_key(self._key), signer_kwargs={"digest_method": sha256})


@lru_cache(maxsize=1)
def _derive_key(key: Secret) -> bytes:
    """What is signed with. Slow on purpose: a token must not allow faster guesses of the password than the sign-in."""
    return scrypt(secret_bytes(key.reveal()), salt=b"cobrowse-bridge console forms", dklen=32, **_COST)


def same_origin(headers: Mapping[str, str], host: str) -> bool:
    """Whether a request comes from a page of this origin. `headers` have lower-case names.

    By Sec-Fetch-Site; over plain http browsers don't send it, and Origin must name the requested host.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        return bool(host) and urlsplit(headers.get("origin", "")).netloc.lower() == host.lower()
    except ValueError:
        return False
