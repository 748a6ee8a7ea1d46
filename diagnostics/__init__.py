"""The doctor: a table of checks of this installation, each with its result and a hint."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from cobrowse.clock import Clock
from cobrowse.errors import CobrowseError
from diagnostics import listen_checks, local_checks, network_checks, user_checks
from diagnostics.connectivity import ConnectivityProbe
from diagnostics.context import Check, DiagnosticContext, failing
from diagnostics.genesys_checks import GenesysChecks
from integrations.genesys.transport import CurlTransport
from settings import Settings

__all__ = ["CHECKS", "Check", "ConnectivityProbe", "all_passed", "diagnose", "settings_checks"]


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check of the table. It is skipped when one that it `needs` has failed."""

    name: str
    run: Callable[[DiagnosticContext, GenesysChecks], Iterator[Check]]
    needs: tuple[str, ...] = ()


_STRAIGHT = ConnectivityProbe()
_HOSTS = ("api host", "login host")
_GENESYS = ("api host", "login host", "credentials")
CHECKS = (
    CheckRow("region", lambda context, _: network_checks.region(context)),
    CheckRow("api host", lambda context, _: network_checks.host(context, "api", context.settings.api_url)),
    CheckRow("login host", lambda context, _: network_checks.host(context, "login", context.settings.login_url)),
    CheckRow("clock", lambda context, _: network_checks.clock(context), ("api host",)),
    CheckRow("credentials", lambda _, org: org.credentials(), ("login host",)),
    # Before the scopes, which are those of the flow that the org has.
    CheckRow("flow", lambda _, org: org.flow(), _GENESYS),
    CheckRow("scopes", lambda _, org: org.scopes(), ("login host", "credentials")),
    CheckRow("reading", lambda _, org: org.reading(), _GENESYS),
    CheckRow("ending", lambda _, org: org.ending(), _GENESYS),
    CheckRow("participant data", lambda _, org: org.participant_data(), _GENESYS),
    CheckRow("conversation", lambda _, org: org.conversation(), _GENESYS),
    CheckRow("listening", listen_checks.listening, _GENESYS),
    # Last of those to Genesys: it reports what the others have found.
    CheckRow("service user", user_checks.service_user, _HOSTS),
    CheckRow("tokens", user_checks.tokens, _GENESYS),
    CheckRow("API keys", lambda context, _: local_checks.api_keys(context)),
    CheckRow("senders", lambda context, _: local_checks.senders(context)),
    CheckRow("rates", lambda context, _: local_checks.rates(context)),
    CheckRow("ledger", lambda context, _: local_checks.ledger(context)),
    CheckRow("outcome webhook", lambda context, _: local_checks.outcome_webhook(context)),
    CheckRow("public URL", lambda context, _: local_checks.public_url(context)),
)


def diagnose(
    settings: Settings,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    new_id: Callable[[], str],
    transport: CurlTransport,
    conversation_id: str = "",
    probe: ConnectivityProbe = _STRAIGHT,
) -> Iterator[Check]:
    """The checks, one by one as they are made. Nothing in them is seen by a customer.

    `environ` holds the senders' secrets; `transport` is the service's way to Genesys, and closed in the end. With a
    `conversation_id` that conversation is checked too.
    """
    context = DiagnosticContext(settings, environ, clock, new_id, probe, transport, conversation_id)
    with closing(context), closing(GenesysChecks(context, context.ledger.grants if context.ledger else None)) as org:
        for row in CHECKS:
            missing = [name for name in row.needs if name in context.failed]
            if missing:
                yield Check(row.name, None, f"skipped: {missing[0]} failed")
                continue
            for check in _run(row, context, org):
                if check.ok is False:
                    context.failed.add(row.name)
                yield check


def _run(row: CheckRow, context: DiagnosticContext, org: GenesysChecks) -> Iterator[Check]:
    """A row's checks. An error of which it makes nothing more exact is its last one."""
    try:
        yield from row.run(context, org)
    except CobrowseError as error:
        yield failing(row.name, error)


def settings_checks(errors: Iterable[str]) -> Iterator[Check]:
    """The checks where the settings themselves are wrong, a line for each: nothing else can be checked then."""
    for line in errors:
        name, _, what = line.partition(":")
        hint = f"Correct {name} in the environment or .env; .env.example explains each variable."
        yield Check("settings", False, f"{name}:{what}", hint)


def all_passed(checks: Iterable[Check]) -> bool:
    """Whether no check failed. Skipped checks don't count as failed."""
    return all(check.ok is not False for check in checks)
