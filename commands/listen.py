"""cobrowse-bridge listen: subscribes to Genesys's notifications and starts cobrowse when an agent answers."""

import random
import signal
from threading import Event
from types import FrameType

import click
from prometheus_client import start_http_server

from app import build, build_ledger, build_telemetry
from cobrowse.clock import Clock, SystemClock
from cobrowse.flow import Attempt, Observer
from cobrowse.model import Command as Request
from commands.group import Command, Failure
from commands.setting_groups import GENESYS, LEDGER, SENDERS
from integrations.genesys.notifications import Notifications
from integrations.genesys.streams import Streams
from integrations.ids import new_id
from integrations.lease_keeper import LeaseKeeper
from integrations.listening.config import SENDER, ListenConfig
from integrations.listening.connection import DEFAULT_TIMES, Times
from integrations.listening.listener import Listener
from integrations.listening.starting import Starter
from integrations.observability.background_metrics import ListenerMetrics
from integrations.observability.logging import configure_logging
from settings import Settings, SettingsError, load_auth, load_settings
from web.listen_address import explain

SETTINGS = (*GENESYS, *LEDGER, *SENDERS, *("MAX_CONCURRENT_INITIATIONS", "LOG_LEVEL", "OTEL_EXPORTER_OTLP_ENDPOINT"))
# Seconds that a call around the channel may take.
CALL_SECONDS = 5.0


@click.command(cls=Command)
@click.option("--metrics-port", type=click.IntRange(0, 65_535), default=0, help="Serve its /metrics on this port.")
@click.option("--metrics-host", default="127.0.0.1", show_default=True, help="The address to serve them on.")
def listen(metrics_port: int, metrics_host: str) -> None:
    """Start cobrowse when an agent answers, until it is stopped.

    The senders file's [listen] table names the queues and users. Of several that run with one ledger, one listens;
    another takes over within 15 seconds.
    """
    settings = load_settings(only=SETTINGS)
    clock = SystemClock()
    _, senders, _ = load_auth(settings, clock)
    if senders.listen is None:
        raise SettingsError(["SENDERS_FILE: has no [listen] table with the queues or users to listen to"])
    configure_logging(settings.log_level, settings.log_format)
    metrics, telemetry = build_telemetry(settings, clock, senders, {})
    if metrics_port:
        try:
            start_http_server(metrics_port, metrics_host, metrics.registry)
        except OSError as error:
            names = {"host_name": "--metrics-host", "port_name": "--metrics-port"}
            cause, hint = explain(metrics_host, metrics_port, error, **names)
            raise Failure(f"/metrics can't be served: {cause}.", hint) from None
    stopping = Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    run_listener(settings, senders.listen, (telemetry,), ListenerMetrics(metrics.registry), stopping, clock)


def run_listener(
    settings: Settings,
    config: ListenConfig,
    observers: tuple[Observer, ...],
    metrics: ListenerMetrics,
    stopping: Event,
    clock: Clock,
    times: Times = DEFAULT_TIMES,
) -> None:
    """Listen until `stopping` is set; then finish what was begun and give the lease back."""
    ledger = build_ledger(settings)
    initiation, flows, _, _ = build(settings, clock, ledger=ledger, observers=observers)
    lease = LeaseKeeper(ledger.leases, "listener", initiation.lease_owner, clock)
    starter = Starter(initiation, random.random)
    listener = Listener(
        config,
        Notifications(flows.client, lambda: _attempt(initiation.lease_owner, clock)),
        Streams(settings.genesys_proxy, settings.no_proxy, settings.genesys_ca_file).open,
        new_id,
        starter,
        lease,
        metrics,
        clock,
        random.random,
        stopping,
        times,
    )
    lease.start()
    try:
        listener.run()
    finally:
        starter.stop()
        lease.stop()
        ledger.close()


def _attempt(lease_owner: str, clock: Clock) -> Attempt:
    """What a call around the channel is made for; it is no initiation's."""
    return Attempt(Request(SENDER, new_id(), CALL_SECONDS), "", lease_owner, clock)
