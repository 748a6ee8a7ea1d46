"""The service user: who it is, until when its token is good, and which token each operation would go out with."""

from collections.abc import Iterator
from datetime import timedelta

from cobrowse.errors import CobrowseError, GenesysUnauthorized, LoginRequired, UserTokenRequired
from diagnostics.context import Check, DiagnosticContext, failing
from diagnostics.genesys_checks import GenesysChecks
from integrations.genesys import grant_name
from integrations.genesys.grants import AUTO, CLIENT, USER
from integrations.genesys.operations import UpstreamRejected
from integrations.genesys.user_login import Person, UserLogin
from integrations.genesys.user_token import UserTokens

_LOG_IN = "Run `cobrowse-bridge login` with the service's settings and sign in to Genesys as the service user."


def service_user(context: DiagnosticContext, org: GenesysChecks) -> Iterator[Check]:
    """Whether a service user is logged in, which one, and until when the token is valid."""
    name, settings = "service user", context.settings
    if settings.user_client is None or settings.genesys_grant == CLIENT:
        reason = "GENESYS_GRANT" if settings.user_client else "GENESYS_USER_CLIENT_ID is not set"
        yield Check(name, None, f"none is used ({reason}): calls go out as the OAuth client")
        return
    ledger = context.ledger
    if ledger is None or org.login is None or org.grants.user is None:
        yield Check(name, None, "its login is in the ledger, which can't be used")
        return
    try:
        found = ledger.grants.read(grant_name(settings.user_client))
        if found is None:
            needed = settings.genesys_grant == USER
            state = "nobody has logged in" + ("" if needed else "; needed only if Genesys demands a user for a call")
            yield Check(name, False if needed else None, state, _LOG_IN)
            return
        person = _find_person(org, org.login, org.grants.user, settings.api_url)
    except LoginRequired as error:
        yield failing(name, error, _LOG_IN)
    except UpstreamRejected as refused:
        yield Check(name, False, refused.message, "Genesys does not say whose token it is; check GENESYS_API_URL.")
    else:
        until = context.clock.now() + timedelta(seconds=org.grants.user.seconds_left())
        org_suffix = f" of {person.org}" if person.org else ""
        since = f"logged in on {found.logged_in:%Y-%m-%d}"
        yield Check(
            name, True, f"{person.user}{org_suffix}, {since}; its token is good until {until:%Y-%m-%d %H:%M} UTC"
        )
        if found.refused:
            yield Check("login", False, f"can't be renewed any more: {found.refused}", _LOG_IN)


def _find_person(org: GenesysChecks, login: UserLogin, user: UserTokens, api_url: str) -> Person:
    """Whose token it is, of one that is renewed where Genesys rejects it."""
    attempt = org.attempt()
    token = user.get(attempt)
    try:
        return login.fetch_user(attempt, token, api_url)
    except GenesysUnauthorized:
        user.invalidate(token)
    return login.fetch_user(attempt, user.get(attempt), api_url)


def tokens(context: DiagnosticContext, org: GenesysChecks) -> Iterator[Check]:
    """Which token each operation goes out with. The one that invites is tried on a conversation that does not exist."""
    if org.grants.mode == USER:
        yield Check("tokens", True, "the service user's, for every operation")
        return
    if org.grants.user is None:
        yield Check("tokens", True, "the OAuth client's, for every operation")
        return
    operation, unused_id = org.row.invitation, context.new_id()
    json = {"type": "cobrowse", "cobrowseSessionId": unused_id} if operation.sends_json else None
    unknown = ""
    try:
        org.client.call(org.attempt(), operation, "", conversation_id=unused_id, json=json)
    except UpstreamRejected:
        pass  # absent or forbidden: the kind of token was good enough to come so far
    except UserTokenRequired:
        raise
    except LoginRequired as error:
        yield failing("tokens", error, _LOG_IN)
        return
    except CobrowseError:
        unknown = f" ({operation.name} could not be tried)"
    demanded = org.grants.demanded()
    user_part = f"the service user's for {', '.join(demanded)}, as Genesys demands; " if demanded else ""
    client_part = "the OAuth client's for all others" if demanded else "the OAuth client's, for every operation"
    suffix = "" if demanded or org.grants.mode != AUTO else "; Genesys has demanded no user"
    yield Check("tokens", True, f"{user_part}{client_part}{suffix}{unknown}")
