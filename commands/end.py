"""cobrowse-bridge end: end a session by hand."""

import getpass
import sys

import click

from app import build
from cobrowse.ending import build_end_command
from cobrowse.initiation import Initiation
from cobrowse.ledger import InitiationRecord
from cobrowse.model import Command as Request
from cobrowse.model import Status
from commands.group import Command, Failure
from commands.ledger import errors_as_failures
from commands.setting_groups import GENESYS, LEDGER
from commands.start import SENDER, echo_failure, parse_conversation_id, run_by_hand
from commands.terminal import echo, echo_json
from integrations.ids import new_id
from integrations.observability.logging import configure_logging
from settings import load_settings
from web import responses

_STATUS_TEXTS = {Status.ENDED: "the customer's cobrowse is over", Status.ALREADY_ENDED: "nothing was live"}


@click.command(cls=Command)
@click.argument("conversation_id", required=False, default="")
@click.option("--initiation", "initiation_id", default="", help="End this initiation's session instead.")
@click.option("--dry-run", is_flag=True, help="Say what would be ended, and end nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, and nothing else.")
def end(conversation_id: str, initiation_id: str, dry_run: bool, as_json: bool) -> None:
    """End a conversation's cobrowse sessions, or one initiation's."""
    if bool(conversation_id) == bool(initiation_id):
        raise click.UsageError("Give either a CONVERSATION_ID or --initiation ID.")
    valid_id = parse_conversation_id(conversation_id) if conversation_id else ""
    settings = load_settings(only=(*GENESYS, *LEDGER, "DEADLINE_SECONDS"))
    configure_logging("ERROR", settings.log_format)
    initiate = build(settings).initiate
    user, seconds = getpass.getuser(), settings.deadline_seconds
    request = (
        build_end_command(_record(initiate, initiation_id), SENDER, user, seconds, new_id())
        if initiation_id
        else Request(SENDER, new_id(), seconds, conversation_id=valid_id, requested_by=user, action="end")
    )
    outcome = run_by_hand(initiate, request, dry_run=dry_run, as_json=as_json)
    if as_json:
        echo_json(responses.to_answer(outcome))
    elif outcome.failure is not None:
        echo_failure(outcome.failure)
    else:
        echo("")
        echo(f"✓ {outcome.status.value}: {_STATUS_TEXTS.get(outcome.status, 'a session is live')}", style="green")
    sys.exit(0 if outcome.success else 1)


def _record(initiate: Initiation, initiation_id: str) -> InitiationRecord:
    """The initiation of this id. Failure where the ledger is unreachable or does not have it."""
    with errors_as_failures():
        record = initiate.ledger.read(initiation_id)
    if record is None:
        hint = (
            "cobrowse-bridge show finds it by its conversation; older ones are purged after LEDGER_RETENTION_SECONDS."
        )
        raise Failure(f"There is no initiation with the id {initiation_id[:60]!r}.", hint)
    return record
