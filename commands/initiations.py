"""cobrowse-bridge list, show and tail: initiations and refused requests on record, with no secret of theirs."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from functools import partial
from heapq import merge
from itertools import islice

import click
from rich.text import Text

from cobrowse.clock import Clock, SystemClock
from cobrowse.ledger import InitiationRecord, State
from commands.group import Command, Failure
from commands.ledger import open_ledger
from commands.terminal import echo, echo_json, echo_json_line, echo_pairs, echo_table, echo_unwrapped, text
from console import view_model
from console.figures import format_duration
from integrations.ledger import LedgerStore
from integrations.refusals import Refusal
from web.responses import to_answer

# Seconds between two reads of the ledger.
PAUSE = 1.0
# Initiations that are read at once, and that `tail` reads: the running ones are among the newest.
PAGE = 200
STYLES = {"good": "green", "bad": "red", "retry": "yellow", "unsure": "yellow", "running": "cyan"}
MARKS = {"good": "✓", "bad": "✗", "retry": "✗", "unsure": "!", "running": "…"}
# Characters of a bar in `show`.
BAR = 24


@click.command("list", cls=Command)
@click.argument("search", required=False, default="")
@click.option("--failed", is_flag=True, help="Those that failed, only.")
@click.option("--refused", is_flag=True, help="Requests that were refused and started nothing, with cause and remedy.")
@click.option("--sender", help="Those of this sender, only.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON, and nothing else.")
def list_initiations(search: str, failed: bool, refused: bool, sender: str | None, limit: int, as_json: bool) -> None:
    """List the newest initiations. SEARCH is the start of a conversation's id, a key, a correlation id or a name."""
    if refused:
        if failed:
            raise click.UsageError("--failed is of initiations, and what was --refused became none; give one of them")
        with open_ledger() as store:
            _print_refusals(store.refusals.newest(limit, sender=sender, search=search or None), as_json=as_json)
        return
    with open_ledger() as store:
        found = list(islice(find_initiations(store, search, sender, failed=failed), limit))
        location = store.location
    if as_json:
        echo_json([document(each) for each in found])
    elif not found:
        echo(f"No initiations in {location}." if not (search or failed or sender) else "No results.")
    else:
        now = SystemClock().now()
        rows = (
            (
                text(_ago((now - each.created).total_seconds()) if each.created else "", "dim"),
                view_model.row(each, now).conversation,
                result(each),
                each.command.sender,
            )
            for each in found
        )
        echo_table(("Ago", "Conversation", "Result", "Sender"), rows)


def _print_refusals(refusals: Sequence[Refusal], *, as_json: bool) -> None:
    """Print requests that started nothing; times in the terminal's own zone, in JSON in UTC."""
    if as_json:
        moments = ({"first": each.first.isoformat(), "last": each.last.isoformat()} for each in refusals)
        echo_json([asdict(each) | times for each, times in zip(refusals, moments, strict=True)])
    elif not refusals:
        echo("No refused requests.")
    else:
        for each in refusals:
            times = f"{each.count} times, " if each.count > 1 else ""
            head = f"✗ {each.status} {each.code}  {each.sender}  {times}{each.last.astimezone():%d %b %H:%M:%S}"
            echo_unwrapped(text(head, "red"))
            echo_pairs((("cause", each.message), ("hint", each.hint), ("address", each.address)), wrap=True)


def find_initiations(
    store: LedgerStore,
    search: str = "",
    sender: str | None = None,
    *,
    failed: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[InitiationRecord]:
    """The initiations that fit, the newest first, read from the ledger a page at a time."""

    def pages(state: State | None) -> Iterator[InitiationRecord]:
        read = partial(store.recent, PAGE, search=search or None, state=state, sender=sender, since=since, until=until)
        before: int | None = None
        while page := read(before_seq=before):
            yield from page
            before = page[-1].seq

    states = (State.FAILED_FINAL, State.FAILED_RETRYABLE) if failed else (None,)
    return merge(*map(pages, states), key=lambda each: -each.seq)


def find_newest(store: LedgerStore, search: str) -> InitiationRecord:
    """The newest initiation that an id finds, a start before an end. Failure where it finds none or does not say which.

    A whole id comes before those that only begin with it: one key may be the beginning of another.
    """
    found = store.recent(PAGE, search=search) if search else []
    exact_matches = [each for each in found if search in _ids(each)]
    prefix_matches = [each for each in found if any(text.startswith(search) for text in _ids(each))]
    found = exact_matches or prefix_matches
    if not found:
        hint = "cobrowse-bridge list shows what there is; older ones are purged after LEDGER_RETENTION_SECONDS."
        raise Failure(f"No initiation has an id, conversation, key or correlation id of {search[:60]!r}.", hint)
    if not exact_matches and len({each.conversation_id for each in prefix_matches}) > 1:
        hint = "Give more of it. cobrowse-bridge list shows which they are."
        raise Failure(f"Initiations of several conversations have an id that begins with {search[:60]!r}.", hint)
    return next((each for each in found if each.command.action == "start"), found[0])


def _ids(entry: InitiationRecord) -> tuple[str, ...]:
    command = entry.command
    return entry.id, entry.conversation_id, command.key, command.correlation_id


@click.command(cls=Command)
@click.argument("search", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, and nothing else.")
def show(search: str, as_json: bool) -> None:
    """Show an initiation and its steps.

    ID is its id, its conversation's, its key or correlation id, or how one of them begins.
    """
    with open_ledger() as store:
        found = find_newest(store, search)
    if as_json:
        echo_json(document(found))
        return
    detail = echo_result(found)
    echo("")
    echo_pairs(
        (name, value if isinstance(value, str) else f"{value:%Y-%m-%d %H:%M:%S} UTC") for name, value in detail.facts
    )
    timeline = detail.latest.timeline if detail.latest else None
    if timeline is not None:
        echo("")
        for line in timeline.lines:
            begin, width = round(line.x * BAR / 100), max(1, round(line.width * BAR / 100))
            bar = f"{' ' * begin}{'━' * width}"[:BAR].ljust(BAR)
            name = f"  {line.name}" if line.kind == "step" else f"    {line.kind} {line.name}"
            echo_unwrapped(f"{name:<24.24} {bar} {line.took_ms:8.0f} ms  {line.result}".rstrip())


@click.command(cls=Command)
@click.option("--lines", "-n", type=click.IntRange(0, PAGE), default=10, show_default=True, help="Earlier ones first.")
@click.option("--json", "as_json", is_flag=True, help="Print each as JSON on a line of its own.")
def tail(lines: int, as_json: bool) -> None:
    """Follow the initiations as they end, until Ctrl-C."""
    with open_ledger() as store, suppress(KeyboardInterrupt):
        for each in follow(store, SystemClock(), lines):
            if as_json:
                echo_json_line(document(each))
                continue
            duration = format_duration(each.outcome.seconds) if each.outcome else ""
            when = f"{each.updated.astimezone():%H:%M:%S}" if each.updated else ""
            conversation = view_model.row(each, SystemClock().now()).conversation
            echo_unwrapped(
                Text.assemble(
                    (f"{when} ", "dim"), result(each), text(f"  {conversation}  {each.command.sender}  {duration}")
                )
            )


def follow(store: LedgerStore, clock: Clock, earlier: int) -> Iterator[InitiationRecord]:
    """Each attempt that has ended, the oldest first: `earlier` from before now, then all new ones. Endless."""
    shown: dict[str, int] = {}
    while True:
        ended = [each for each in reversed(store.recent(PAGE)) if each.state is not State.RUNNING]
        fresh = [each for each in ended if shown.get(each.id) != each.attempts]
        yield from fresh[max(0, len(fresh) - earlier) :]
        shown, earlier = {each.id: each.attempts for each in ended}, PAGE
        clock.sleep(PAUSE)


def echo_result(entry: InitiationRecord) -> view_model.Detail:
    """Print its result, what that means, and of a failure the cause, the remedy and what comes next; the details."""
    detail = view_model.detail(entry, SystemClock().now())
    echo_unwrapped(result(entry))
    if detail.meaning:
        echo(detail.meaning, indent=2)
    if (failure := detail.failure) is not None:
        echo_pairs((("cause", failure.cause), ("hint", failure.hint), ("next", failure.next)), wrap=True)
    return detail


def result(entry: InitiationRecord) -> Text:
    """Its result in a word or two, with its mark."""
    badge = view_model.badge(entry)
    failure = entry.ended_outcome.failure if entry.ended_outcome is not None else None
    return text(f"{MARKS[badge.tone]} {failure.code if failure else badge.word.lower()}", STYLES[badge.tone])


def document(entry: InitiationRecord) -> dict[str, object]:
    """The initiation for --json; `answer` is what its caller got, its secrets masked, null while it runs."""
    outcome = entry.ended_outcome
    return facts(entry) | {"answer": to_answer(view_model.mask_outcome(outcome)) if outcome is not None else None}


def facts(entry: InitiationRecord) -> dict[str, object]:
    """The initiation's fields other than its answer; times are ISO 8601, in UTC."""
    return {
        "initiationId": entry.id,
        "state": entry.state.value,
        "created": entry.created.isoformat() if entry.created else "",
        "updated": entry.updated.isoformat() if entry.updated else "",
        "action": entry.command.action,
        "conversationId": entry.conversation_id,
        "sender": entry.command.sender,
        "credential": entry.command.credential,
        "requestedBy": entry.command.requested_by,
        "correlationId": entry.command.correlation_id,
        "idempotencyKey": entry.command.key,
        "attempts": entry.attempts,
    }


def _ago(seconds: float) -> str:
    """How long ago, in one unit."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
