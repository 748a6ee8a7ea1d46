"""What /readyz asks, and which of it makes a process unready."""

from functools import partial

from cobrowse.clock import Clock
from cobrowse.flow import Observer
from diagnostics.health_checks import (
    HealthCheck,
    Readiness,
    TokenCheck,
    circuit_check,
    ping_check,
    reload_check,
    user_check,
)
from integrations import genesys
from integrations.ledger import LedgerStore
from integrations.senders.rate_limit import RateLimiter


def tolerated_checks(*, strict: bool, ledger_required: bool) -> tuple[str, ...]:
    """The checks that show and don't make the service unready. Rates: data actions have none.

    `strict`: an outage of Genesys, or a service user who has to log in again, makes it unready too.
    """
    tolerated = ("rates", "configuration") if strict else ("rates", "configuration", "circuit", "service_user")
    return tolerated if ledger_required else (*tolerated, "ledger")


def readiness(
    flows: genesys.Flows,
    grants: genesys.Grants,
    lease_owner: str,
    store: LedgerStore | None,
    clock: Clock,
    telemetry: Observer,
    rates: RateLimiter,
    refused: tuple[str, ...],
) -> Readiness:
    """What /readyz asks. `refused`: why a reload was refused, which is a note and no reason to be unready."""
    questions: dict[str, HealthCheck] = {
        "genesys": TokenCheck(grants.seconds_left, flows.authorize, clock, lease_owner, (telemetry,)),
        "circuit": partial(circuit_check, flows.open_circuits),
    }
    if grants.user is not None:
        questions["service_user"] = partial(user_check, grants.user_problem)
    if store is not None:
        questions["ledger"] = partial(ping_check, store.ping)
    if rates.is_remote:
        questions["rates"] = partial(ping_check, rates.ping)
    if refused:
        questions["configuration"] = partial(reload_check, refused)
    return Readiness(questions, clock)
