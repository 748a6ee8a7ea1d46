"""cobrowse-bridge status: what became of a start, on record or by one check of its conversation."""

import sys
from contextlib import closing

import click

from app import build, build_ledger
from cobrowse.clock import SystemClock
from cobrowse.ledger import State
from cobrowse.lookup import Lookup, view_on_record
from cobrowse.model import Command as Request
from cobrowse.model import SessionState, SessionView
from commands.group import Command
from commands.initiations import document, echo_result, find_newest
from commands.ledger import errors_as_failures
from commands.setting_groups import GENESYS, LEDGER
from commands.start import SENDER
from commands.terminal import echo, echo_json, echo_pairs, progress
from integrations.ids import new_id
from integrations.observability.logging import configure_logging
from settings import load_settings
from web.responses import view_keys

YES_NO = {True: "yes", False: "no"}


@click.command(cls=Command)
@click.argument("search", metavar="ID")
@click.option("--live", is_flag=True, help="Also ask Genesys, by one call.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, and nothing else.")
def status(search: str, live: bool, as_json: bool) -> None:
    """Say what became of a start and how far its session is.

    ID is its id, its conversation's, its key or correlation id, or how one of them begins. Without --live the ledger
    answers, which knows how long the offer stands, and the ends through this service.

    Exits 0 if the customer was invited or had a session, else 1.
    """
    needed = (*LEDGER, *GENESYS, "DEADLINE_SECONDS") if live else LEDGER
    settings, clock = load_settings(only=needed), SystemClock()
    configure_logging("ERROR", settings.log_format)
    with closing(build_ledger(settings)) as store, errors_as_failures():
        record = find_newest(store, search)
        view = view_on_record(record, clock.now())
        if live:
            parts = build(settings, clock, ledger=store)
            seconds, conversation_id = settings.deadline_seconds, record.conversation_id
            command = Request(SENDER, new_id(), seconds, conversation_id=conversation_id)
            with progress("Waiting for Genesys"):
                view, _ = Lookup(store, parts.flows, clock).check(command, record)
    if as_json:
        echo_json(document(record) | view_keys(view))
    else:
        echo_result(record)
        if live or view.state is not SessionState.UNKNOWN:
            _echo_view(view, live=live)
        elif record.state is State.SUCCEEDED:
            echo("→ --live asks Genesys how far the session is.")
    sys.exit(0 if record.state is State.SUCCEEDED else 1)


def _echo_view(view: SessionView, *, live: bool) -> None:
    echo_pairs(
        (
            ("session", view.state.value),
            ("since", view.since),
            ("customer", YES_NO[view.customer_connected] if live else ""),
            ("agent", YES_NO[view.agent_connected] if live else ""),
        )
    )
