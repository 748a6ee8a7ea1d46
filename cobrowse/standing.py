"""What stands in a conversation: the session that makes another invitation needless."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from cobrowse.flow import PATIENCE, Attempt, looked
from cobrowse.ledger import Entry, Won
from cobrowse.model import Outcome, Session, Sessions, Status
from cobrowse.outcomes import outcome_of, shown_to
from cobrowse.waiting import ahead_of


def already_active(attempt: Attempt, won: Won, look: Callable[[], Sessions]) -> Outcome | None:
    """The answer for a conversation that has what was asked for; None if it has not. Starts nothing.

    Any live session will do: the earlier one is only the newest of those that may be behind it. This initiation's own
    is left to the flow, which knows more of it than the conversation shows.
    """
    earlier, own = won.previous, attempt.session
    known = earlier.progress.session if earlier is not None else None

    def find() -> Session | None:
        return standing(look(), known, own, attempt.clock.now())

    with attempt.step("check"):
        patient = bool(ahead_of(won)) or _may_show_yet(earlier, won.entry)
        found = looked(attempt, find, "the earlier session") if patient else find()
    if found is None or found is own:
        return None
    if known is not None and known.cobrowse_session_id and _same(found, known):
        viewer_url = known.viewer_url or found.viewer_url
        found = replace(known, state=found.state, viewer_url=viewer_url, verified=found.verified)
    owner = earlier.command if earlier is not None and _same(found, known) else None
    found = replace(found, conversation_id=attempt.command.conversation_id)
    attempt.progress = replace(attempt.progress, session=shown_to(attempt.command, found, owner))
    return outcome_of(attempt, Status.ALREADY_ACTIVE)


def standing(shown: Sessions, known: Session | None, own: Session, now: datetime) -> Session | None:
    """The session that stands: `own` where it is live, else the known one where it is, else any live one.

    While the known session's offer is open it stands too, though the conversation doesn't show it, unless it is shown
    as over. `known` is what is on record of the earlier initiation, `own` of this one.
    """
    if own.cobrowse_session_id and any(_same(session, own) for session in shown.live):
        return own
    if shown.live:
        live = next((session for session in shown.live if _same(session, known)), shown.live[0])
        return replace(live, verified=True)
    if known is not None and _offer_is_open(known, now) and not any(_same(session, known) for session in shown.over):
        return known
    return None


def _offer_is_open(session: Session, now: datetime) -> bool:
    """Whether the customer can still accept it. An end that can't be read is none."""
    try:
        ends = datetime.fromisoformat(session.offer_ends)
    except ValueError:
        return False
    return now < (ends if ends.tzinfo else ends.replace(tzinfo=UTC))


def _same(shown: Session, known: Session | None) -> bool:
    """Whether a session that shows is the known one; one whose answer was lost has no id, and any one may be it."""
    if known is None:
        return False
    return not known.cobrowse_session_id or known.cobrowse_session_id in (shown.cobrowse_session_id, shown.media_id)


def _may_show_yet(earlier: Entry | None, mine: Entry) -> bool:
    """Whether the earlier initiation is so young, by the ledger's clock, that its session may have yet to show."""
    if earlier is None or earlier.progress.session.verified:
        return False
    if earlier.updated is None or mine.updated is None:
        return True
    return (mine.updated - earlier.updated).total_seconds() < sum(PATIENCE)
