"""The dry run of a command: only reads, reaches no customer and writes nothing."""

from dataclasses import replace

from cobrowse.ending import preview_end
from cobrowse.errors import AgentNotConnected
from cobrowse.existing_session import RINGING_SECONDS
from cobrowse.flow import Attempt
from cobrowse.genesys import Genesys
from cobrowse.ledger import Checkpoint, Ledger
from cobrowse.model import Outcome, Status
from cobrowse.outcomes import outcome_of, visible_session


def preview_command(genesys: Genesys, ledger: Ledger, attempt: Attempt) -> Outcome:
    """WOULD_START or ALREADY_ACTIVE, for an end WOULD_END or ALREADY_ENDED. Raises the error it would fail with.

    A live session counts as ALREADY_ACTIVE, regardless of who started it.
    """
    if attempt.command.action == "end":
        return preview_end(genesys, ledger, attempt)
    if not attempt.command.conversation_id:
        with attempt.step("find"):
            found = genesys.newest_webchat(attempt)
        attempt.command = replace(attempt.command, conversation_id=found)
    with attempt.step("check"):
        shown = genesys.sessions(attempt)
    if shown.live:
        session = shown.live[0]._replace(conversation_id=attempt.command.conversation_id, verified=True)
        attempt.checkpoint = Checkpoint(session=visible_session(attempt.command, session, None))
        return outcome_of(attempt, Status.ALREADY_ACTIVE)
    if shown.unanswered:
        raise AgentNotConnected(shown.unanswered, retry_after=RINGING_SECONDS)
    return outcome_of(attempt, Status.WOULD_START)
