"""cobrowse-bridge login and logout: a service user's consent, kept for the service where Genesys demands a user."""

import random
import secrets
import sys
from contextlib import closing

import click

from app import build_ledger, transport_of
from cobrowse.clock import SystemClock
from cobrowse.errors import CobrowseError, LoginRequired
from cobrowse.flow import Attempt
from cobrowse.model import Command as Request
from cobrowse.model import Secret
from commands.group import Command, Failure
from commands.ledger import errors_as_failures
from commands.loopback import LoopbackServer, is_served
from commands.setting_groups import GENESYS, LEDGER
from commands.terminal import echo, echo_json, echo_pairs, echo_unwrapped, progress
from integrations.genesys import UserClient, grant_name
from integrations.genesys.operations import UpstreamRejected
from integrations.genesys.retry import RetryingCaller
from integrations.genesys.user_login import Person, UserLogin, UserTokenPair, code_of
from integrations.ids import new_id
from integrations.ledger import LedgerStore
from settings import Settings, SettingsError, load_settings

# Seconds: a person finds a password in it, and each call of Genesys's ends.
TIMEOUT_SECONDS, CALL_SECONDS = 300.0, 10.0


@click.command(cls=Command)
@click.option("--paste", is_flag=True, help="Ask for the address that the browser shows in the end: on a server.")
@click.option("--status", is_flag=True, help="Say who is logged in, and log nobody in.")
@click.option("--json", "as_json", is_flag=True, help="With --status: print it as JSON, and nothing else.")
def login(paste: bool, status: bool, as_json: bool) -> None:
    """Log in a service user, for what Genesys lets only users do.

    GENESYS_GRANT says when the service acts as this user.
    """
    settings, client = _settings()
    with closing(build_ledger(settings)) as ledger:
        if status:
            sys.exit(0 if _print_status(ledger, client, as_json=as_json) else 1)
        with errors_as_failures():
            # Before a person logs in: the ledger must be able to keep what Genesys gives.
            ledger.ping()
            pair, person = _log_in(settings, client, paste=paste)
            name = grant_name(client)
            ledger.grants.log_in(name, pair.access, pair.refresh, pair.expires_in, account=person.user, org=person.org)
    org_suffix = f" of {person.org}" if person.org else ""
    echo(f"✓ Logged in as {person.user}{org_suffix}. The service uses it within a minute, and renews it by itself.")


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, and nothing else.")
def logout(as_json: bool) -> None:
    """Forget the service user's login. It stays valid at Genesys: withdraw the consent there, too."""
    settings, client = _settings()
    with closing(build_ledger(settings)) as ledger, errors_as_failures():
        was_logged_in = ledger.grants.log_out(grant_name(client))
    if as_json:
        echo_json({"loggedOut": was_logged_in})
        return
    echo(
        "The login is forgotten; the service uses it for a minute at most."
        if was_logged_in
        else "Nobody was logged in."
    )


def _settings() -> tuple[Settings, UserClient]:
    settings = load_settings(only=(*GENESYS, *LEDGER))
    if settings.user_client is None:
        raise SettingsError(
            ["GENESYS_USER_CLIENT_ID: required for a login; make an OAuth client with the grant Code Authorization"]
        )
    return settings, settings.user_client


def _print_status(ledger: LedgerStore, client: UserClient, *, as_json: bool) -> bool:
    """Print whose login there is; whether it is good."""
    with errors_as_failures():
        found = ledger.grants.read(grant_name(client))
    if found is None:
        if as_json:
            echo_json({"loggedIn": False})
        else:
            echo("Nobody is logged in.")
        return False
    if as_json:
        document = {"loggedIn": True, "user": found.account, "org": found.org, "since": found.logged_in}
        echo_json(document | {"secondsLeft": max(0, round(found.seconds_left)), "refused": found.refused})
        return not found.refused
    minutes = max(0, round(found.seconds_left / 60))
    pairs = (
        ("user", found.account),
        ("org", found.org),
        ("logged in", f"{found.logged_in:%Y-%m-%d %H:%M} UTC"),
        ("renewed", f"{found.version - 1} times since the first login"),
        ("token", f"good for {minutes} minutes, then renewed" if not found.refused else f"good for {minutes} minutes"),
        ("refused", found.refused),
    )
    echo_pairs(pairs)
    return not found.refused


def _log_in(settings: Settings, client: UserClient, *, paste: bool) -> tuple[UserTokenPair, Person]:
    """The tokens of the person who logs in now, and who that is."""
    clock, transport = SystemClock(), transport_of(settings)
    state, verifier = secrets.token_urlsafe(24), Secret(secrets.token_urlsafe(48))
    try:
        caller = RetryingCaller(transport, clock, random.random, sandbox=settings.sandbox)
        calls = UserLogin(caller, client)
        code = _request_code(client, calls.page(state, verifier), state, clock, paste=paste)
        pair = calls.exchange(_attempt(clock), code, verifier)
        try:
            person = calls.fetch_user(_attempt(clock), pair.access, settings.api_url)
        except (CobrowseError, UpstreamRejected):
            person = Person("a user whom Genesys does not name", "")
    except UpstreamRejected as refused:
        raise Failure(refused.message, "Check GENESYS_LOGIN_URL and GENESYS_REGION.") from None
    except LoginRequired as error:
        hint = error.hint or "Run the command again: a code is good once, and for a few minutes."
        raise Failure(f"{error.code}: {error.message}", hint) from None
    finally:
        transport.close()
    return pair, person


def _request_code(client: UserClient, page: str, state: str, clock: SystemClock, *, paste: bool) -> Secret:
    """The code with which the person's login came back."""
    without_server = paste or not is_served(client.redirect_uri)
    server = None if without_server else _listen(client.redirect_uri, state)
    echo("Open this address in a browser and log in as the service user:")
    echo_unwrapped(page)
    if server is None:
        echo("The browser then goes to an address that it may not reach. Copy that address.")
        return code_of(click.prompt("Address"), state)
    with progress(f"waits for the login to come back to {client.redirect_uri}"):
        callback = server.wait(TIMEOUT_SECONDS, clock)
    if not callback:
        raise Failure(f"Nobody has logged in within {TIMEOUT_SECONDS:g} s.", "Run the command again, or with --paste.")
    return code_of(callback, state)


def _listen(redirect_uri: str, state: str) -> LoopbackServer:
    def belongs(path: str) -> bool:
        return f"state={state}" in path

    try:
        return LoopbackServer(redirect_uri, belongs)
    except OSError as error:
        hint = "Run it with --paste, or set GENESYS_USER_REDIRECT_URI to a free port, here and in Genesys."
        raise Failure(f"Can't listen at {redirect_uri}: {error.strerror}", hint) from None


def _attempt(clock: SystemClock) -> Attempt:
    return Attempt(Request("login", new_id(), CALL_SECONDS), "", "login", clock)
