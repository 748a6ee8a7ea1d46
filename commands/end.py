"""cobrowse-bridge end: end a session by hand."""

import getpass
import sys
from contextlib import nullcontext

import click
import structlog

from app import build, new_id
from cobrowse.errors import LedgerUnavailable
from cobrowse.initiation import Initiation
from cobrowse.model import Command as Request
from cobrowse.model import Status
from commands.group import Command, Failure
from commands.needs import GENESYS, LEDGER
from commands.start import Steps, checked_id, complain_of
from commands.terminal import say, say_json, waiting
from integrations.observability import configure_logging
from settings import load_settings
from web import responses
from web.error_responses import hint_of

log = structlog.stdlib.get_logger("cobrowse")
_SAID = {Status.ENDED: "ended", Status.ALREADY_ENDED: "nothing was live"}


@click.command(cls=Command)
@click.argument("conversation_id", required=False, default="")
@click.option("--initiation", "initiation_id", default="", help="End this initiation's session instead.")
@click.option("--dry-run", is_flag=True, help="Say what would be ended, and end nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, and nothing else.")
def end(conversation_id: str, initiation_id: str, dry_run: bool, as_json: bool) -> None:
    """End every cobrowse session in CONVERSATION_ID, or that of an initiation."""
    if bool(conversation_id) == bool(initiation_id):
        raise click.UsageError("Give either a CONVERSATION_ID or --initiation ID.")
    known = checked_id(conversation_id) if conversation_id else ""
    settings = load_settings(only=(*GENESYS, *LEDGER, "DEADLINE_SECONDS"))
    configure_logging("INFO", settings.log_format)
    initiate = build(settings).initiate
    request = Request(
        sender="command-line",
        correlation_id=new_id(),
        deadline_seconds=settings.deadline_seconds,
        conversation_id=known or _conversation_of(initiate, initiation_id),
        requested_by=getpass.getuser(),
        action="end",
        ends=initiation_id,
    )
    with nullcontext() if as_json else waiting("Genesys is asked"):
        outcome = initiate.preview(request) if dry_run else initiate(request, *(() if as_json else (Steps(),)))
    if not dry_run:
        log.info(
            "session ended from the command line",
            initiation_id=outcome.initiation_id,
            ends=initiation_id,
            conversation_id=request.conversation_id,
            requested_by=request.requested_by,
            status=outcome.status.value,
        )
    if as_json:
        say_json(responses.to_answer(outcome))
    elif outcome.failure is not None:
        complain_of(outcome.failure)
    else:
        say("")
        say(f"✓ {outcome.status.value}: {_SAID.get(outcome.status, 'a session is live')}", style="green")
    sys.exit(0 if outcome.success else 1)


def _conversation_of(initiate: Initiation, initiation_id: str) -> str:
    """The conversation in which an initiation started its session. Failure if the ledger does not have it."""
    try:
        record = initiate.ledger.read(initiation_id)
    except LedgerUnavailable as error:
        raise Failure(f"{error.code}: {error.message}", hint_of(error)) from None
    if record is None:
        raise click.UsageError("There is no initiation with this id; it may be older than the retention time.")
    return record.checkpoint.session.conversation_id or record.command.conversation_id
