"""Genesys Cloud: the only importer of httpx. `connect` builds the domain's port to it."""

from collections.abc import Callable, Sequence
from threading import Lock

import httpx

from cobrowse.clock import Clock
from cobrowse.model import Secret
from integrations.genesys.auth import Guard, Tokens, TokenStore
from integrations.genesys.budget import Budgets, OnBudget, SharedBudgets
from integrations.genesys.circuit_breaker import CircuitBreaker
from integrations.genesys.client import Client
from integrations.genesys.flows import FLOWS, FlowRow, Flows
from integrations.genesys.retry import RetryingCaller


def connect(
    *,
    api_url: str,
    login_url: str,
    client_id: str,
    client_secret: Secret,
    mode: str,
    end_media_sessions: bool = False,
    sandbox: bool,
    transport: httpx.BaseTransport,
    clock: Clock,
    jitter: Callable[[], float],
    lease_owner: str,
    store: TokenStore | None,
    new_lock: Callable[[], Guard] = Lock,
    rows: Sequence[FlowRow] = FLOWS,
    on_circuit: Callable[[str, bool], None] = lambda _host, _open: None,
    on_budget: OnBudget = lambda _name, _count, _allowed, _reset: None,
    budgets: SharedBudgets | None = None,
) -> tuple[Flows, Tokens]:
    """The flows of one org, and its tokens for readiness checks. `mode` is one of flows.MODES.

    `sandbox`: take a sandbox's tokens only. `store` and `budgets` are what all workers share: the tokens, and which
    budgets of calls are used up.
    """
    breaker, known = CircuitBreaker(clock, on_change=on_circuit), Budgets(clock, on_budget, budgets)
    caller = RetryingCaller(transport, clock, jitter, breaker, known, secrets=(client_secret,), sandbox=sandbox)
    tokens = Tokens(
        caller,
        clock,
        login_url,
        client_id,
        client_secret,
        lease_owner=lease_owner,
        store=store,
        sandbox=sandbox,
        new_lock=new_lock,
    )
    return Flows(Client(caller, tokens, api_url), mode, rows, end_media_sessions=end_media_sessions), tokens


__all__ = ["Flows", "Tokens", "connect"]
