"""Builds each part once and hands it on: the only module that knows them all. Importing it does nothing."""

import os
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from uuid import uuid4

import httpx
import structlog
from flask import Flask

from cobrowse import __version__
from cobrowse.admission import Admission
from cobrowse.clock import Clock, SystemClock
from cobrowse.flow import Observer
from cobrowse.initiation import Initiation
from cobrowse.ledger import Ledger
from cobrowse.lookup import Lookup
from cobrowse.model import Secret
from console import views
from console.single_sign_on import SingleSignOn, values_of
from diagnostics.readiness import readiness, tolerated_checks
from integrations import genesys
from integrations.callbacks.posting import Receiver
from integrations.callbacks.sender import connect_callbacks
from integrations.event_loop import new_native_lock
from integrations.genesys.transport import CurlTransport
from integrations.ids import new_id
from integrations.ledger import LedgerStore
from integrations.ledger import connect as open_ledger
from integrations.observability.logging import LogObserver, configure_logging
from integrations.observability.metrics import Metrics
from integrations.observability.observers import SafeObservers
from integrations.recorder import Recorder
from integrations.refusals import Refusal
from integrations.senders.activity import Delivery, IgnoredEvent, IgnoredEvents, SenderActivities
from integrations.senders.registry import Senders
from schemas.console_users import parse_users
from settings import ENVIRONMENT, Settings, SettingsError, load_auth, load_settings
from web import data_actions, reference_pages, responses
from web.error_handlers import register_error_handlers
from web.flask_app import App
from web.health import HealthEndpoints, observe_requests
from web.refusals import observe_refusals
from web.reloading import ACTIVE_CONFIGURATION, ActiveConfiguration
from web.session_actions import SessionActions
from web.webhooks import Webhooks

log = structlog.stdlib.get_logger()


class Parts(NamedTuple):
    """The use case, and what it was built of. `store` is its ledger where that is a database."""

    initiate: Initiation
    flows: genesys.Flows
    grants: genesys.Grants
    store: LedgerStore | None


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    transport: httpx.BaseTransport | None = None,
    ledger: Ledger | None = None,
    environ: Mapping[str, str] = ENVIRONMENT,
    active_configuration: ActiveConfiguration = ACTIVE_CONFIGURATION,
) -> Flask:
    """The service as a WSGI application. SettingsError, a line for each error, if it can't start so.

    `environ` holds the senders' secrets, and the settings where none are handed in.
    """
    settings, clock = settings or load_settings(environ), clock or SystemClock()
    keys, senders, rates = load_auth(settings, clock, environ, active_configuration.senders)
    configure_logging(settings.log_level, settings.log_format)
    for error in active_configuration.errors:
        log.error("a reload was refused: the previous configuration stays active", error=error)
    for sender in senders:
        sender.start()
    metrics, telemetry = build_telemetry(settings, clock, senders, environ)
    metrics.reload_refused(bool(active_configuration.errors))
    parts = build(settings, clock, transport, ledger, (telemetry,), metrics.circuit, metrics.budget)
    initiate, store = parts.initiate, parts.store

    app = App("cobrowse-bridge")
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.extensions["cobrowse"] = initiate
    register_error_handlers(app, new_id)
    observe_requests(app, telemetry)
    if store is not None:
        recorder = Recorder({Refusal: store.refusals.add, Delivery: store.deliveries.add}, clock)
        app.extensions["recorder"] = recorder
        observe_refusals(app, recorder.add, clock)
    app.register_blueprint(
        HealthEndpoints(
            ready=readiness(
                parts.flows,
                parts.grants,
                initiate.lease_owner,
                store,
                clock,
                telemetry,
                rates,
                active_configuration.errors,
            ),
            exposition=metrics.exposition,
            metrics_token=settings.metrics_token,
            non_critical=tolerated_checks(strict=settings.readyz_strict, ledger_required=settings.ledger_required),
            # Genesys's outages pass by themselves and meet every instance at once: no reason to take this one out.
            transient=() if settings.readyz_strict else ("genesys",),
            open_locally=settings.sandbox,
        ).blueprint()
    )
    # The name of the caller's credential; on a sandbox without API_KEYS every caller is accepted.
    identify = (lambda _headers: "anyone") if settings.open_to_all else keys.identify
    app.register_blueprint(
        data_actions.DataActions(
            initiate,
            identify,
            settings.deadline_seconds,
            allow_latest=settings.allow_latest,
            allow_user_tokens=settings.allow_user_tokens,
            participant_data=settings.participant_data,
        ).blueprint()
    )
    if store is not None:
        lookup = Lookup(store, parts.flows, clock, initiate.observers)
        app.register_blueprint(SessionActions(initiate, lookup, identify, settings.deadline_seconds).blueprint())
    ignored = IgnoredEvents(metrics.ignored)
    activity = SenderActivities()
    if store is not None:
        with_notes = frozenset(sender.name for sender in senders if sender.leaves_notes)
        activity = SenderActivities(store.notes, with_notes, recorder.add, store.deliveries.by_sender)
    app.register_blueprint(Webhooks(initiate, senders.get, rates.check, clock, activity, ignored.add).blueprint())
    if store is not None and settings.outcome_webhook_url:
        receiver = Receiver(settings.outcome_webhook_url.reveal(), settings.outcome_webhook_secret)
        app.extensions["callbacks"] = connect_callbacks(
            receiver, responses.callback_body, store, initiate.lease_owner, metrics.registry, clock, random.random
        )
    console = None
    if store is not None and settings.has_console:
        console = build_console(settings, initiate, parts.flows, store, senders, clock, ignored.newest, activity)
        app.register_blueprint(console.blueprint())
    app.register_blueprint(reference_pages.blueprint("/console" if console else ""))
    return app


def build_telemetry(
    settings: Settings, clock: Clock, senders: Senders, environ: Mapping[str, str]
) -> tuple[Metrics, SafeObservers]:
    """The observers: the log, the metrics, and traces where a collector is configured."""
    names = (data_actions.SENDER, views.SENDER, *senders.names)
    metrics = Metrics(names, environ.get("PROMETHEUS_MULTIPROC_DIR", ""))
    if not settings.otel_exporter_otlp_endpoint:
        return metrics, SafeObservers((LogObserver(), metrics), (metrics,))
    # OpenTelemetry, which only this needs.
    from integrations.observability.tracing import Traces  # noqa: PLC0415

    traces = Traces(settings.otel_exporter_otlp_endpoint, clock)
    return metrics, SafeObservers((LogObserver(), metrics, traces), (metrics, traces))


def build_console(
    settings: Settings,
    initiate: Initiation,
    flows: genesys.Flows,
    ledger: LedgerStore,
    senders: Senders,
    clock: Clock,
    ignored: Callable[[], Sequence[IgnoredEvent]],
    activity: SenderActivities,
) -> views.Console:
    """The console; without a password, which is on the sandbox only, it answers this machine alone."""
    users = [user.reveal() for user in settings.console_users]
    return views.Console(
        records=ledger,
        retry=initiate.retry,
        end=initiate,
        clock=clock,
        deadline_seconds=settings.deadline_seconds,
        # The same in every worker. Where nobody signs in there is nothing to forge that a person here could not do.
        key=settings.console_key or settings.ledger_url,
        password=settings.console_password,
        users=parse_users(users),
        sso=build_sso(settings, clock) if settings.console_oidc_issuer else None,
        public_url=settings.public_base_url,
        about=views.ServiceInfo(__version__, settings.console_label, "" if settings.sandbox else settings.apps_url),
        senders=(data_actions.SENDER, views.SENDER, *senders.names),
        ignored=ignored,
        activity=lambda: activity.of_all(senders.rows),
        open_circuits=flows.client.breaker.open_circuits,
        budgets=flows.client.budgets.states,
    )


def build_sso(settings: Settings, clock: Clock) -> SingleSignOn:
    """The identity provider that people sign in to the console at."""
    # 5 MB of a worker's memory, which only this needs.
    from integrations.identity_provider import IdentityProvider  # noqa: PLC0415

    provider = IdentityProvider(
        settings.console_oidc_issuer,
        settings.console_oidc_client_id,
        settings.console_oidc_client_secret,
        settings.console_oidc_scope.replace(",", " "),
        f"{settings.public_base_url}/console/sign-in/callback",
        clock,
    )
    operators, viewers = values_of(settings.console_oidc_operators), values_of(settings.console_oidc_viewers)
    return SingleSignOn(provider, settings.console_oidc_claim, operators, viewers)


def build(
    settings: Settings,
    clock: Clock | None = None,
    transport: httpx.BaseTransport | None = None,
    ledger: Ledger | None = None,
    observers: tuple[Observer, ...] = (),
    on_circuit: Callable[[str, bool], None] = lambda _operation, _open: None,
    on_budget: Callable[[str, float, float, float], None] = lambda _token, _count, _allowed, _reset: None,
) -> Parts:
    """The use case and its parts, on this org and this ledger."""
    clock, transport = clock or SystemClock(), transport or transport_of(settings)
    ledger = ledger or build_ledger(settings)
    store = ledger if isinstance(ledger, LedgerStore) else None
    lease_owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
    flows, grants = genesys.connect(
        api_url=settings.api_url,
        login_url=settings.login_url,
        client_id=settings.genesys_client_id or "sandbox",
        client_secret=settings.genesys_client_secret or Secret("sandbox-secret"),
        mode=settings.cobrowse_flow,
        end_media_sessions=settings.end_media_sessions,
        sandbox=settings.sandbox,
        transport=transport,
        clock=clock,
        jitter=random.random,
        lease_owner=lease_owner,
        shared=store,
        on_circuit=on_circuit,
        on_budget=on_budget,
        grant=settings.genesys_grant,
        user_client=settings.user_client,
    )
    initiation = Initiation(
        genesys=flows,
        ledger=ledger,
        clock=clock,
        new_id=new_id,
        lease_owner=lease_owner,
        ledger_required=settings.ledger_required,
        admission=Admission(settings.max_concurrent_initiations, new_native_lock()),
        observers=observers,
    )
    return Parts(initiation, flows, grants, store)


def transport_of(settings: Settings) -> CurlTransport:
    """The way to Genesys: through a proxy, with a certificate of our own, as the settings say."""
    return CurlTransport(
        max_body_bytes=settings.max_upstream_bytes,
        ca_bundle=settings.genesys_ca_file or None,
        proxy=settings.genesys_proxy.reveal() or None,
        no_proxy=settings.no_proxy,
        client_cert=settings.genesys_client_cert or None,
        client_key=settings.genesys_client_key or None,
    )


def build_ledger(settings: Settings) -> LedgerStore:
    """The ledger at LEDGER_URL, opened at its first use. SettingsError if the URL or a key can't be one."""
    try:
        seconds, tells = settings.ledger_retention_seconds, bool(settings.outcome_webhook_url)
        url, keys = settings.ledger_url.reveal(), [key.reveal() for key in settings.ledger_keys]
        return open_ledger(url, keys=keys, retention_seconds=seconds, adds_callbacks=tells)
    except ValueError as error:
        raise SettingsError([str(error)]) from None


def configuration_errors(
    environ: Mapping[str, str], senders_text: str | None = None, warn: Callable[[str], None] = lambda _line: None
) -> list[str]:
    """What a worker would end with, a line for each error; else `warn` of what in the senders file is weak."""
    try:
        settings = load_settings(environ)
        _, senders, _ = load_auth(settings, SystemClock(), environ, senders_text)
        build_ledger(settings).close()
    except SettingsError as error:
        return error.errors
    for sender in senders:
        for warning in sender.warnings:
            warn(f"{sender.name}: {warning}")
    return []
