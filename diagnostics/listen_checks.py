"""What `listen` needs: the names and topics of the [listen] table, catching up, and a process that listens."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

from cobrowse.errors import CobrowseError, LedgerUnavailable
from diagnostics.context import Check, DiagnosticContext, failing
from diagnostics.genesys_checks import GenesysChecks
from integrations.genesys.notifications import Notifications
from integrations.listening.config import ListenConfig, Subscription, is_id, parse_listen

_PERMISSION = (
    "Give the client a role with the permission in the message, in the queue's or user's division (docs/listening.md)."
)


def listening(context: DiagnosticContext, org: GenesysChecks) -> Iterator[Check]:
    """Whether Genesys lets the client hear each topic. Makes a channel that nobody connects to, which Genesys drops."""
    config = _config(context.settings.senders_file)
    if config is None:
        yield Check("listening", None, "no valid [listen] table in the senders file: nothing is listened to")
        return
    calls = Notifications(org.client, org.attempt)
    found: dict[str, list[str]] = {"queues": [], "users": []}
    for kind, names, id_of in (("queues", config.queues, calls.queue_id), ("users", config.users, calls.user_id)):
        for name in names:
            try:
                found[kind].append(name if is_id(name) else id_of(name))
            except CobrowseError as error:
                yield failing(f"listen: {name}", error)
    subscription = Subscription(tuple(found["queues"]), tuple(found["users"]))
    if subscription.topics:
        yield from _topics(calls, subscription)
        if config.catch_up:
            yield _catching_up(context, calls, subscription)
    yield from _listener(context)


def _config(senders_file: str) -> ListenConfig | None:
    """The table; None without one. Its errors are reported by the senders' check."""
    try:
        table = tomllib.loads(Path(senders_file).read_text("utf-8-sig")).get("listen") if senders_file else None
    except (OSError, ValueError):
        return None
    return parse_listen(table)[0] if table is not None else None


def _topics(calls: Notifications, subscription: Subscription) -> Iterator[Check]:
    try:
        rejected = calls.open_channel(subscription.topics).rejected
    except CobrowseError as error:
        yield failing("listening", error)
        return
    for topic, why in rejected.items():
        yield Check("listening", False, f"Genesys rejects {topic}: {why}", _PERMISSION)
    if not rejected:
        yield Check("listening", True, f"Genesys permits all topics ({len(subscription.topics)})")


def _catching_up(context: DiagnosticContext, calls: Notifications, subscription: Subscription) -> Check:
    try:
        calls.live_conversations(subscription.queues, subscription.users, context.clock.now())
    except CobrowseError as error:
        hint = f"{_PERMISSION} Or set catch_up = false: then what a gap hides is counted and not looked for."
        return failing("catching up", error, hint)
    return Check("catching up", True, "analytics lists the live conversations")


def _listener(context: DiagnosticContext) -> Iterator[Check]:
    """Which process has the lease."""
    if context.ledger is None:
        return
    try:
        found = context.ledger.leases.read("listener")
    except LedgerUnavailable:
        return  # the ledger's own check reports it
    if found is None:
        hint = (
            "Start `cobrowse-bridge listen`, with this ledger; on several machines one listens and the others stand by."
        )
        yield Check("listener", None, "no process listens just now", hint)
        return
    owner, seconds = found
    yield Check(
        "listener", True, f"{owner.rpartition(':')[0]} (host:process) listens, its lease good for {seconds:.0f} s"
    )
