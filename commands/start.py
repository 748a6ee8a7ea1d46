"""cobrowse-bridge start: start a session by hand and watch its steps."""

import getpass
import sys
from contextlib import nullcontext

import click

from app import build
from cobrowse.flow import Attempt
from cobrowse.initiation import Initiation
from cobrowse.model import Channel, Failure, Outcome, Span
from cobrowse.model import Command as Request
from commands.group import Command
from commands.setting_groups import GENESYS, LEDGER
from commands.terminal import echo, echo_error, echo_json, echo_pairs, echo_unwrapped, progress
from integrations.ids import new_id
from integrations.observability.logging import configure_logging
from schemas.texts import SHOWN_LENGTH, conversation_id_in, placeholder_in
from settings import load_settings
from web import responses
from web.error_responses import hint_of

# The sender in the ledger of requests made at a terminal.
SENDER = "command-line"
SETTINGS = (*GENESYS, *LEDGER, "ALLOW_LATEST", "DEADLINE_SECONDS", "GENESYS_CONVERSATION_ID")


class Steps:
    """Shows the numbered steps as they end, each with its time."""

    def __init__(self) -> None:
        self._number = 0

    def on_span_end(self, _attempt: Attempt, span: Span) -> None:
        """A line for a step; waits are shown between them."""
        if span.kind == "step":
            self._number += 1
            succeeded = span.result == "done"
            line = f"  {self._number} {span.name:<9} {'✓' if succeeded else '✗'} {span.seconds * 1000:8.0f} ms"
            echo_unwrapped(line, style="green" if succeeded else "red")
        elif span.kind == "wait":
            echo_unwrapped(f"    {span.seconds * 1000:.0f} ms wait {span.name}", style="dim")

    def on_outcome(self, command: Request, outcome: Outcome) -> None:
        """The answer is shown by the command itself."""


@click.command(cls=Command)
@click.argument("conversation_id", required=False, default="")
@click.option("--channel", type=click.Choice(["webchat", "voice", "message"]), help="Chooses the token's scope.")
@click.option("--latest", is_flag=True, help="Take the newest active webchat (needs ALLOW_LATEST=true).")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and start nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, and nothing else.")
def start(conversation_id: str, channel: Channel | None, latest: bool, dry_run: bool, as_json: bool) -> None:
    """Start a session in a conversation. Its id may come from $GENESYS_CONVERSATION_ID.

    Exits 0 if the customer has the invitation, also where the conversation does not show it yet.
    """
    valid_id = parse_conversation_id(conversation_id) if conversation_id else ""
    settings = load_settings(only=SETTINGS)
    configure_logging("ERROR", settings.log_format)
    if latest and not settings.allow_latest:
        raise click.UsageError("--latest can pick another customer's conversation; set ALLOW_LATEST=true to allow it.")
    if not valid_id and not latest and settings.genesys_conversation_id:
        valid_id = parse_conversation_id(settings.genesys_conversation_id)
    if bool(valid_id) == latest:
        raise click.UsageError("Give either a CONVERSATION_ID or --latest.")
    if not as_json and not dry_run:
        target = "the newest active webchat" if latest else f"conversation {valid_id}"
        echo(f"Starting cobrowse in {target} on {settings.api_url}")
    request = Request(
        sender=SENDER,
        correlation_id=new_id(),
        deadline_seconds=settings.deadline_seconds,
        conversation_id=valid_id,
        latest=latest,
        channel=channel,
        # A person may come too late, whatever the channel; what is the newest has just been listed as active.
        check_before_create=not latest,
        requested_by=getpass.getuser(),
    )
    outcome = run_by_hand(build(settings).initiate, request, dry_run=dry_run, as_json=as_json)
    if as_json:
        echo_json(responses.to_answer(outcome))
    elif outcome.failure is not None:
        echo_failure(outcome.failure)
    elif dry_run:
        summary = f"nothing was done in conversation {outcome.session.conversation_id}"
        echo(f"✓ {outcome.status.value}: {summary}", style="green")
    else:
        _print_session(outcome)
    sys.exit(0 if outcome.success else 1)


def run_by_hand(initiate: Initiation, request: Request, *, dry_run: bool, as_json: bool) -> Outcome:
    """The outcome of a request, or with `dry_run` what it would come to; its steps are shown unless `as_json`."""
    with nullcontext() if as_json else progress("Waiting for Genesys"):
        return initiate.preview(request) if dry_run else initiate(request, *(() if as_json else (Steps(),)))


def parse_conversation_id(conversation_id: str) -> str:
    """The id as Genesys writes it; a usage error if it is none, or a variable that nobody filled in."""
    placeholder, valid_id = placeholder_in(conversation_id), conversation_id_in(conversation_id)
    if placeholder or not valid_id:
        value = conversation_id[:SHOWN_LENGTH]
        reason = (
            f"{placeholder[:SHOWN_LENGTH]!r} was not filled in"
            if placeholder
            else f"{value!r} is not a conversation id"
        )
        raise click.UsageError(f"CONVERSATION_ID: {reason}; it is a UUID such as 2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33.")
    return valid_id


def echo_failure(failure: Failure) -> None:
    """Print why it failed and what to do."""
    echo_error(f"{failure.code}: {failure.message}", hint=hint_of(failure))


def _print_session(outcome: Outcome) -> None:
    session = outcome.session
    visibility = "the conversation shows it" if session.verified else "the conversation does not show it yet"
    mark, style = ("✓", "green") if session.verified else ("!", "yellow")
    echo("")
    echo(
        f"{mark} {outcome.status.value}: {visibility} ({outcome.flow} flow, {outcome.seconds * 1000:.0f} ms)",
        style=style,
    )
    echo_pairs(
        (
            ("session", session.cobrowse_session_id),
            ("join URL", session.join_url.reveal()),
            ("join code", session.join_code.reveal()),
            ("viewer URL", session.viewer_url.reveal()),
        )
    )
    if not session.verified:
        echo("→ The customer has the invitation. Look at the conversation before you start another.")
