"""Genesys Cloud: the only importer of httpx. `connect` builds the domain's port to it."""

import hashlib
from collections.abc import Callable, Sequence
from threading import Lock

import httpx

from cobrowse.clock import Clock
from cobrowse.model import Secret
from integrations.genesys.auth import Guard, Tokens
from integrations.genesys.budget import Budgets, OnBudget
from integrations.genesys.circuit_breaker import CircuitBreaker
from integrations.genesys.client import Client
from integrations.genesys.flows import FLOWS, FlowRow, Flows
from integrations.genesys.grants import CLIENT, Grants
from integrations.genesys.retry import RetryingCaller
from integrations.genesys.user_login import UserClient, UserLogin
from integrations.genesys.user_token import UserTokens, start_thread
from integrations.ledger import LedgerStore


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
    shared: LedgerStore | None,
    new_lock: Callable[[], Guard] = Lock,
    rows: Sequence[FlowRow] = FLOWS,
    on_circuit: Callable[[str, bool], None] = lambda _operation, _open: None,
    on_budget: OnBudget = lambda _name, _count, _allowed, _reset: None,
    grant: str = CLIENT,
    user_client: UserClient | None = None,
    run: Callable[[Callable[[], None]], None] = start_thread,
) -> tuple[Flows, Grants]:
    """The flows of one org, and the choice of its tokens. `mode` is one of flows.MODES, `grant` of grants.GRANTS.

    `sandbox`: take a sandbox's tokens only. `shared` is the ledger, where all workers have the tokens, the service
    user's login and what is used up of the budgets. The service user acts through `user_client`, and `run` does a
    renewal of that token beside the caller.
    """
    breaker = CircuitBreaker(clock, on_change=on_circuit)
    budgets = Budgets(clock, on_budget, shared.budgets if shared else None)
    caller = RetryingCaller(transport, clock, jitter, breaker, budgets, secrets=(client_secret,), sandbox=sandbox)
    tokens = Tokens(
        caller,
        clock,
        login_url,
        client_id,
        client_secret,
        lease_owner=lease_owner,
        store=shared.tokens if shared else None,
        sandbox=sandbox,
        new_lock=new_lock,
    )
    user = None
    if user_client is not None and shared is not None:
        login = UserLogin(caller, user_client)
        name = grant_name(user_client)
        user = UserTokens(login, shared.grants, clock, name, lease_owner=lease_owner, new_lock=new_lock, run=run)
    choice = Grants(grant, tokens, user)
    return Flows(Client(caller, choice, api_url), mode, rows, end_media_sessions=end_media_sessions), choice


def grant_name(client: UserClient) -> str:
    """The name of the service user's login in the store: one for each client."""
    return hashlib.sha256(f"{client.login_url} {client.client_id}".encode()).hexdigest()[:32]


__all__ = ["Flows", "Grants", "UserClient", "connect", "grant_name"]
