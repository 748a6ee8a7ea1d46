"""OAuth for a service user: the page where a person logs in, and the two exchanges for tokens (RFC 6749, 7636)."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from cobrowse.errors import GenesysBadResponse, GenesysUnauthorized, LoginRequired
from cobrowse.flow import Attempt
from cobrowse.model import Secret
from integrations.genesys.auth import post_to_login_host
from integrations.genesys.operations import ME, USER_TOKEN
from integrations.genesys.origin import Origin, api_headers
from integrations.genesys.retry import Call, RetryingCaller

AUTHORIZE_PATH = "/oauth/authorize"
_WRONG_CLIENT = (
    "Genesys rejects the OAuth client of the service user: check GENESYS_USER_CLIENT_ID and GENESYS_USER_CLIENT_SECRET."
)


class UserTokenPair(NamedTuple):
    """Genesys's tokens: `expires_in` is the access token's, in seconds; `refresh` is empty if there is none."""

    access: Secret
    refresh: Secret
    expires_in: float


class Person(NamedTuple):
    """A token's user and org, for people to read."""

    user: str
    org: str


@dataclass(frozen=True, slots=True)
class UserClient:
    """The OAuth client with the grant type "Code Authorization". Without a secret it is public, and PKCE is used."""

    login_url: str
    client_id: str
    client_secret: Secret
    redirect_uri: str = ""

    @property
    def is_public(self) -> bool:
        """Whether it has no secret."""
        return not self.client_secret


class UserLogin:
    """The calls for a service user's tokens. All raise GenesysError; LoginRequired where the grant is refused."""

    def __init__(self, caller: RetryingCaller, client: UserClient) -> None:
        self._caller = caller
        self._client = client
        self._origin = Origin(client.login_url)

    def page(self, state: str, verifier: Secret) -> str:
        """The URL at which a person logs in. `verifier` is this login's own secret, used where the client is public."""
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uri,
            "state": state,
        }
        if self._client.is_public:
            asked |= {"code_challenge": challenge_of(verifier.reveal()), "code_challenge_method": "S256"}
        return f"{self._client.login_url}{AUTHORIZE_PATH}?{urlencode(asked)}"

    def exchange(self, attempt: Attempt, code: Secret, verifier: Secret) -> UserTokenPair:
        """The tokens for the code that the login came back with. GenesysBadResponse if there is no refresh token."""
        uri = self._client.redirect_uri
        form: dict[str, str | Secret] = {"grant_type": "authorization_code", "code": code, "redirect_uri": uri}
        if self._client.is_public:
            form["code_verifier"] = verifier
        pair = self._request_tokens(attempt, form)
        if not pair.refresh:
            raise GenesysBadResponse(
                "user_token: Genesys gave no refresh token, so the login would end with its first token",
                hint="Use an OAuth client with the grant type Code Authorization and its secret, in "
                "GENESYS_USER_CLIENT_ID and GENESYS_USER_CLIENT_SECRET.",
            )
        return pair

    def refresh(self, attempt: Attempt, refresh: Secret) -> UserTokenPair:
        """The next pair for a refresh token, which is void from then on if the pair has another."""
        pair = self._request_tokens(attempt, {"grant_type": "refresh_token", "refresh_token": refresh})
        return pair if pair.refresh else pair._replace(refresh=refresh)

    def fetch_user(self, attempt: Attempt, token: Secret, api_url: str) -> Person:
        """The user of a token."""
        headers = api_headers(token, attempt.command.correlation_id, None)
        me = self._caller.call(attempt, Call(ME, Origin(api_url), ME.path, headers, budget="user"))
        org = me["organization"]
        named = org.get("name", "") if isinstance(org, dict) else ""
        return Person(me["email"] or me["name"] or me["id"], str(named))

    def _request_tokens(self, attempt: Attempt, form: Mapping[str, str | Secret]) -> UserTokenPair:
        client = self._client.client_id, self._client.client_secret
        try:
            answer = post_to_login_host(self._caller, attempt, USER_TOKEN, self._origin, client, form)
        except GenesysUnauthorized as error:
            error.hint = error.hint or _WRONG_CLIENT
            raise
        return UserTokenPair(Secret(answer["access_token"]), Secret(answer["refresh_token"]), answer["expires_in"])


def challenge_of(verifier: str) -> str:
    """RFC 7636, 4.2: what a public client shows of its verifier before the code is exchanged."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def code_of(callback_url: str, state: str) -> Secret:
    """The code in the URL, or its query, with which the login came back. LoginRequired if it is not this login's."""
    query = urlsplit(callback_url.strip()).query or callback_url.strip().lstrip("?")
    parameters = {name: values[0] for name, values in parse_qs(query).items()}
    if parameters.get("state") != state:
        raise LoginRequired(
            "the address that came back is not of this login: its state is another",
            hint="Run the command again and copy the whole address that the browser shows after the login.",
        )
    if parameters.get("error"):
        why = f"{parameters['error']} {parameters.get('error_description', '')}".strip()[:200]
        raise LoginRequired(f"Genesys refused the login: {why}")
    if not parameters.get("code"):
        raise LoginRequired("the address that came back holds no code")
    return Secret(parameters["code"])
