"""That a form is one of the console's own, and what a browser may do with its pages."""

from collections.abc import Mapping
from functools import cached_property
from hashlib import scrypt, sha256
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer

from cobrowse.model import Secret
from integrations.senders.auth.config import secret_bytes

# Nothing foreign, nothing inline; no framing; forms go to the console only.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: a browser would then send `Origin: null` with our own form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Robots-Tag": "noindex",
}

# Seconds a page may lie open before its form is refused, and a person stays signed in: a shift.
PAGE_SECONDS = 43_200
# scrypt's cost: about 50 ms and 16 MB, once a process.
_COST = {"n": 2**14, "r": 8, "p": 1}


class Signer:
    """Signed texts, which only this service can have made. The same key gives the same in every worker."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def sign(self, purpose: str, value: object) -> str:
        """The value signed for this purpose alone; anybody can read it."""
        return str(self._serializer.dumps(value, salt=purpose))

    def unsign(self, purpose: str, text: str, seconds: int = PAGE_SECONDS) -> Any:  # noqa: ANN401 - whatever was put in
        """The value; None if it was not signed here, for this purpose and so many seconds ago at most."""
        try:
            return self._serializer.loads(text, max_age=seconds, salt=purpose)
        except BadSignature:
            return None

    def token(self, subject: str) -> str:
        """The token for a form about this."""
        return self.sign("form", subject)

    def verify(self, token: str, subject: str) -> bool:
        """Whether it is a token of ours about this, and not too old."""
        return bool(self.unsign("form", token) == subject)

    @cached_property
    def _serializer(self) -> URLSafeTimedSerializer:
        # Slow on purpose: a token must not allow faster guesses of the password than the sign-in.
        key = scrypt(secret_bytes(self._key.reveal()), salt=b"cobrowse-bridge console forms", dklen=32, **_COST)
        return URLSafeTimedSerializer(key, signer_kwargs={"digest_method": sha256})


def same_origin(headers: Mapping[str, str], host: str) -> bool:
    """Whether a browser says that our own page has sent this. `headers` have lower-case names.

    Sec-Fetch-Site is the browser's own word; over plain http it is missing, and Origin must name the host asked for.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        return bool(host) and urlsplit(headers.get("origin", "")).netloc.lower() == host.lower()
    except ValueError:
        return False
