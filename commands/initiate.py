"""flask cobrowse initiate: start a session by hand and watch its steps."""

import getpass
import sys

import click

from app import build_initiation, new_id
from cobrowse.flow import Attempt
from cobrowse.model import Command, Failure, Outcome, Span
from commands.group import cobrowse, report_settings_errors
from commands.terminal import say, say_json
from integrations.observability import configure_logging
from schemas.texts import SHOWN, conversation_id_in, placeholder_in
from settings import load_settings
from web import responses
from web.error_responses import hint_of


class Steps:
    """Shows the numbered steps as they end, each with its time."""

    def __init__(self) -> None:
        self._number = 0

    def on_span_end(self, attempt: Attempt, span: Span) -> None:  # noqa: ARG002 - an observer's signature
        """A line for a step; waits are shown between them."""
        if span.kind == "step":
            self._number += 1
            mark = "✓" if span.result == "done" else "✗"
            say(f"  {self._number} {span.name:<9} {mark} {span.seconds * 1000:8.0f} ms")
        elif span.kind == "wait":
            say(f"    {span.seconds * 1000:.0f} ms wait {span.name}")

    def on_outcome(self, command: Command, outcome: Outcome) -> None:
        """The answer is shown by the command itself."""


@cobrowse.command()
@click.argument("conversation_id", required=False, default="")
@click.option("--channel", type=click.Choice(["webchat", "voice", "message"]), help="Chooses the token's scope.")
@click.option("--latest", is_flag=True, help="Take the newest active webchat (needs ALLOW_LATEST=true).")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and start nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, and nothing else.")
@report_settings_errors
def initiate(conversation_id: str, channel: str | None, latest: bool, dry_run: bool, as_json: bool) -> None:
    """Start a cobrowse session in CONVERSATION_ID (or $GENESYS_CONVERSATION_ID)."""
    settings = load_settings()
    configure_logging("ERROR", settings.log_format)
    if latest and not settings.allow_latest:
        raise click.UsageError("--latest can pick another customer's conversation; set ALLOW_LATEST=true to allow it.")
    conversation_id = conversation_id or ("" if latest else settings.genesys_conversation_id)
    if bool(conversation_id) == latest:
        raise click.UsageError("Give either a CONVERSATION_ID or --latest.")
    if conversation_id:
        conversation_id = _checked_id(conversation_id)
    if not as_json and not dry_run:
        where = "the newest active webchat" if latest else f"conversation {conversation_id}"
        say(f"Starting cobrowse in {where} on {settings.api_url}")
    command = Command(
        sender="command-line",
        correlation_id=new_id(),
        deadline_seconds=settings.deadline_seconds,
        conversation_id=conversation_id,
        latest=latest,
        channel=channel,  # type: ignore[arg-type]  # click has checked it
        requested_by=getpass.getuser(),
    )
    start = build_initiation(settings, observers=())
    if dry_run:
        tried = start.preview(command)
        _print_preview(tried, as_json=as_json)
        sys.exit(0 if tried.success else 1)
    outcome = start(command, *(() if as_json else (Steps(),)))
    _print_outcome(outcome, as_json=as_json)
    sys.exit(0 if outcome.success and outcome.session.verified else 1)


def print_failure(failure: Failure) -> None:
    """Why it failed and what to do."""
    say("", f"✗ {failure.code}", f"  cause:  {failure.message}", f"  hint:   {hint_of(failure)}")


def _print_preview(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        say_json(responses.to_answer(outcome))
    elif outcome.failure is not None:
        print_failure(outcome.failure)
    else:
        say(f"✓ {outcome.status.value}: nothing was done in conversation {outcome.session.conversation_id}")


def _checked_id(given: str) -> str:
    """The conversation's id in Genesys's spelling; UsageError if it is none, or a variable that nobody filled in."""
    unfilled, found = placeholder_in(given), conversation_id_in(given)
    if unfilled or not found:
        why = f"{unfilled[:SHOWN]!r} was not filled in" if unfilled else f"{given[:SHOWN]!r} is not a conversation id"
        raise click.UsageError(f"CONVERSATION_ID: {why}; it is a UUID such as 2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33.")
    return found


def _print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        say_json(responses.to_answer(outcome))
        return
    if outcome.failure is not None:
        print_failure(outcome.failure)
        return
    session = outcome.session
    seen = "the conversation shows it" if session.verified else "the conversation does not show it yet"
    say("", f"✓ {outcome.status.value}: {seen} ({outcome.flow} flow, {outcome.seconds * 1000:.0f} ms)")
    for label, value in (
        ("session", session.cobrowse_session_id),
        ("join URL", session.join_url),
        ("join code", session.join_code),
        ("viewer URL", session.viewer_url),
    ):
        if value:
            say(f"  {label:<10} {value!s}")
