"""flask cobrowse end: end a session by hand."""

import getpass
import sys

import click
import structlog

from app import build_initiation, new_id
from cobrowse.errors import LedgerUnavailable
from cobrowse.model import Command, Status
from commands.group import cobrowse, report_settings_errors
from commands.initiate import Steps, print_failure
from commands.terminal import say, say_json
from integrations.observability import configure_logging
from schemas.texts import conversation_id_in
from settings import load_settings
from web import responses

log = structlog.stdlib.get_logger("cobrowse")
_SAID = {Status.ENDED: "ended", Status.ALREADY_ENDED: "nothing was live"}


@cobrowse.command()
@click.argument("conversation_id", required=False, default="")
@click.option("--initiation", "initiation_id", default="", help="End this initiation's session instead.")
@click.option("--dry-run", is_flag=True, help="Say what would be ended, and end nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, and nothing else.")
@report_settings_errors
def end(conversation_id: str, initiation_id: str, dry_run: bool, as_json: bool) -> None:
    """End every cobrowse session in CONVERSATION_ID, or that of an initiation."""
    settings = load_settings()
    configure_logging("INFO", settings.log_format)
    if bool(conversation_id) == bool(initiation_id):
        raise click.UsageError("Give either a CONVERSATION_ID or --initiation ID.")
    initiation = build_initiation(settings, observers=())
    if initiation_id:
        try:
            record = initiation.ledger.read(initiation_id)
        except LedgerUnavailable as error:
            raise click.ClickException(error.message) from None
        if record is None:
            raise click.UsageError("There is no initiation with this id; it may be older than the retention time.")
        conversation_id = record.checkpoint.session.conversation_id or record.command.conversation_id
    command = Command(
        sender="command-line",
        correlation_id=new_id(),
        deadline_seconds=settings.deadline_seconds,
        conversation_id=conversation_id_in(conversation_id) or conversation_id,
        requested_by=getpass.getuser(),
        action="end",
        ends=initiation_id,
    )
    outcome = initiation.preview(command) if dry_run else initiation(command, *(() if as_json else (Steps(),)))
    if not dry_run:
        log.info(
            "session ended from the command line",
            initiation_id=outcome.initiation_id,
            ends=initiation_id,
            conversation_id=conversation_id,
            requested_by=command.requested_by,
            status=outcome.status.value,
        )
    if as_json:
        say_json(responses.to_answer(outcome))
    elif outcome.failure is not None:
        print_failure(outcome.failure)
    else:
        say("", f"✓ {outcome.status.value}: {_SAID.get(outcome.status, 'a session is live')}")
    sys.exit(0 if outcome.success else 1)
