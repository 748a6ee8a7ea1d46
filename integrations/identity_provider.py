"""An OpenID Connect provider that people sign in at: authorization code with PKCE by Authlib, its answers bounded.

Waits for the provider are cooperative under gevent: requests uses sockets that are patched.
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import BaseApp, OAuth2Mixin, OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from joserfc.errors import JoseError
from requests import PreparedRequest, RequestException, Response
from requests.adapters import HTTPAdapter

from cobrowse.clock import Clock
from cobrowse.model import Secret
from integrations.identity import PendingSignIn, ProviderUnavailable, SignInRefused
from schemas.addresses import http_url, is_in_the_clear

log = structlog.stdlib.get_logger()

# Seconds for the connection and for each wait for bytes, and for an answer as a whole.
STEP_SECONDS, TOTAL_SECONDS = 5.0, 10.0
# Bytes: a provider's description and its keys have a few thousand.
MAX_BYTES = 262_144
# Seconds by which the provider's clock and ours may differ.
LEEWAY = 60
# Algorithms of a token that only the provider can have signed.
SIGNED = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
_PATH = "/.well-known/openid-configuration"
# What a provider's answer of another form than the standard's raises in Authlib and joserfc.
_MISFITS = (AuthlibBaseError, JoseError, ValueError, TypeError, KeyError, AttributeError)


class IdentityProvider:
    """The provider with this issuer, to which this service is a client. Nothing is fetched before the first sign-in."""

    def __init__(
        self, issuer: str, client_id: str, client_secret: Secret, scope: str, redirect_uri: str, clock: Clock
    ) -> None:
        self.issuer = issuer
        self._redirect_uri = redirect_uri
        self._client = _Client(issuer, client_id, client_secret, scope, clock)

    def begin(self) -> PendingSignIn:
        """A new sign-in. Raises ProviderUnavailable."""
        try:
            found = self._client.create_authorization_url(self._redirect_uri)
        except (RequestException, *_MISFITS) as error:
            raise _unavailable(self.issuer, error) from None
        return PendingSignIn(found["url"], found["state"], found["nonce"], found["code_verifier"])

    def finish(self, code: str, nonce: str, code_verifier: str) -> Mapping[str, Any]:
        """The claims of the person who came back with this code. Raises SignInRefused, ProviderUnavailable."""
        client = self._client
        try:
            token = client.fetch_access_token(self._redirect_uri, code=code, code_verifier=code_verifier)
            essential = {
                "iss": {"essential": True, "value": client.load_server_metadata()["issuer"]},
                "aud": {"essential": True, "value": client.client_id},
            }
            claims = client.parse_id_token(token, nonce, claims_options=essential, leeway=LEEWAY)
        except RequestException as error:
            raise _unavailable(self.issuer, error) from None
        except _MISFITS as error:
            log.warning("the identity provider's answer was refused", error=_describe(error))
            raise SignInRefused from None
        if claims is None:
            log.warning("the identity provider's answer was refused", error="it has no id_token")
            raise SignInRefused
        return dict(claims)


class _Bounded(HTTPAdapter):
    """Requests' way to a server, with one answer of at most MAX_BYTES within TOTAL_SECONDS."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def send(self, request: PreparedRequest, *_: Any, verify: Any = True, proxies: Any = None, **__: Any) -> Response:  # noqa: ANN401 - requests' own
        """The answer, read as a whole."""
        deadline = self._clock.monotonic() + TOTAL_SECONDS
        request.headers["Accept-Encoding"] = "identity"
        answer = super().send(request, stream=True, timeout=STEP_SECONDS, verify=verify, proxies=proxies)
        if answer.is_redirect:
            raise RequestException("it answered with a redirect")
        content = bytearray()
        while part := answer.raw.read1(MAX_BYTES):
            content += part
            if len(content) > MAX_BYTES:
                raise RequestException(f"it sent more than {MAX_BYTES} bytes")
            if self._clock.monotonic() > deadline:
                raise RequestException(f"it did not answer within {TOTAL_SECONDS:g} s")
        answer.raw = BytesIO(content)
        return answer


class _Session(OAuth2Session):  # type: ignore[misc]  # Authlib has no types
    def __init__(self, *args: Any, clock: Clock, **kwargs: Any) -> None:  # noqa: ANN401 - Authlib's own
        super().__init__(*args, **kwargs)
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Bounded(clock))


class _Client(OAuth2Mixin, OpenIDMixin, BaseApp):  # type: ignore[misc]  # Authlib has no types
    """Authlib's client, with a description of the provider that is checked before it is used."""

    client_cls = _Session
    server_metadata: dict[str, Any]

    def __init__(self, issuer: str, client_id: str, client_secret: Secret, scope: str, clock: Clock) -> None:
        super().__init__(
            None,
            client_id=client_id,
            client_secret=client_secret.reveal(),
            client_kwargs={"scope": scope, "code_challenge_method": "S256", "clock": clock},
        )
        self._issuer = issuer

    def load_server_metadata(self) -> dict[str, Any]:
        """What the provider says of itself, fetched once."""
        if not self.server_metadata:
            with self._get_session() as session:
                answer = session.request("GET", self._issuer.rstrip("/") + _PATH, withhold_token=True)
            answer.raise_for_status()
            self.server_metadata = _check_metadata(answer.json(), self._issuer)
        return self.server_metadata


def _check_metadata(metadata: Mapping[str, Any], issuer: str) -> dict[str, Any]:
    """What of the provider's description is used. ValueError if it is another's, or has no safe endpoints."""
    if metadata["issuer"].rstrip("/") != issuer.rstrip("/"):
        raise ValueError(f"it is the description of {str(metadata['issuer'])[:200]!r}")
    endpoints = {name: metadata[name] for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    for name, url in endpoints.items():
        parts = http_url(url)
        if parts is None or is_in_the_clear(parts):
            raise ValueError(f"its {name} is no https URL")
    methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return {
        **endpoints,
        "issuer": metadata["issuer"],
        "id_token_signing_alg_values_supported": [
            each for each in metadata.get("id_token_signing_alg_values_supported", SIGNED) if each in SIGNED
        ],
        "token_endpoint_auth_method": "client_secret_basic"
        if "client_secret_basic" in methods
        else "client_secret_post",
    }


def _unavailable(issuer: str, error: Exception) -> ProviderUnavailable:
    log.warning("the identity provider could not be used", issuer=issuer, error=_describe(error))
    return ProviderUnavailable()


def _describe(error: Exception) -> str:
    """The error's kind and words, without what was sent: a URL may have a code in it."""
    return f"{type(error).__name__}: {error}".partition("?")[0][:200]
