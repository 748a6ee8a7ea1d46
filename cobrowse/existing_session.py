"""Checks a conversation for a session that makes another invitation unnecessary."""

from datetime import datetime

from cobrowse.clock import parse_time
from cobrowse.errors import AgentNotConnected
from cobrowse.flow import PROBE_DELAYS, Attempt, poll_until_found
from cobrowse.genesys import Genesys
from cobrowse.ledger import Acquired, InitiationRecord
from cobrowse.model import Outcome, Session, Sessions, Status
from cobrowse.outcomes import outcome_of, visible_session

# Seconds before each poll for an agent who answers. Three polls in all, of the 300 calls a minute that Genesys allows a
# token; what still rings after them is asked for again after RINGING_SECONDS, which are an offer's usual ones.
AGENT_PROBE_DELAYS = (0.0, 1.0, 1.5)
RINGING_SECONDS = 10.0
# Seconds for which an invitation that Genesys took counts as standing though nothing shows it and nobody said when its
# offer ends. Not confirmed by Genesys: long enough for a customer to answer, short enough to be asked for anew.
UNSEEN_SECONDS = 60.0


def already_active_outcome(genesys: Genesys, attempt: Attempt, acquired: Acquired) -> Outcome | None:
    """The outcome for a conversation that has a live session already; None if it has none. Starts nothing.

    Any live session will do: the earlier one is only the newest of those that may be behind it. This initiation's own
    is left to the flow, which knows more of it than the conversation shows.

    Raises:
        AgentNotConnected: There is no session, and an agent or customer has to answer first.
    """
    own, history = attempt.session, acquired.history
    # Its call may be out and its answer lost, and nobody else's is known: any session may be its own.
    lost = attempt.checkpoint.may_have_notified and not own.cobrowse_session_id and not history
    known = tuple(entry.checkpoint.session for entry in history)
    claimed_at = acquired.entry.updated
    unseen = tuple(entry.checkpoint.session for entry in history if may_stand_unseen(entry, claimed_at))
    unanswered: str

    def find() -> Session | None:
        nonlocal unanswered
        # Before the check: an offer that is closed by then has been accepted, which shows, or is over.
        now = attempt.clock.now()
        shown = genesys.sessions(attempt)
        unanswered = shown.unanswered
        return find_live_session(shown, known, own, now) or _not_shown_as_over(unseen, shown)

    with attempt.step("check"):
        patient = bool(acquired.ahead) or any(may_not_be_visible_yet(entry, claimed_at) for entry in history)
        for number, _ in enumerate(attempt.poll(AGENT_PROBE_DELAYS, "before another check for an agent who answers")):
            found = poll_until_found(attempt, find, "the earlier session") if patient and not number else find()
            if found is not None or not unanswered:
                break
        else:
            raise AgentNotConnected(unanswered, retry_after=RINGING_SECONDS)
    if found is None or found is own or lost:
        return None
    started = _find_owner(history, found)
    if started is not None and started.checkpoint.session.cobrowse_session_id:
        ours = started.checkpoint.session
        found = ours._replace(
            state=found.state, viewer_url=ours.viewer_url or found.viewer_url, verified=found.verified
        )
    found = found._replace(conversation_id=attempt.command.conversation_id)
    owner = started.command if started is not None else None
    attempt.checkpoint = attempt.checkpoint._replace(flow="", session=visible_session(attempt.command, found, owner))
    return outcome_of(attempt, Status.ALREADY_ACTIVE)


def find_live_session(shown: Sessions, known: tuple[Session, ...], own: Session, now: datetime) -> Session | None:
    """The session that stands: `own` where it is live, else a known one that is, else any live one.

    While a known session's offer is open it stands too, though the conversation doesn't show it, unless it is shown as
    over. `known` is what is on record of earlier initiations, `own` of this one.
    """
    if own.cobrowse_session_id and any(_is_same_session(session, own) for session in shown.live):
        return own
    if shown.live:
        live = next(
            (session for session in shown.live if any(_is_same_session(session, each) for each in known)), shown.live[0]
        )
        return live._replace(verified=True)
    return _not_shown_as_over(tuple(each for each in known if offer_is_open(each, now)), shown)


def _not_shown_as_over(sessions: tuple[Session, ...], shown: Sessions) -> Session | None:
    over = {session.cobrowse_session_id for session in shown.over} | {session.media_id for session in shown.over}
    # One whose id is not known is not among them: "" is a medium's missing id.
    return next((each for each in sessions if each.cobrowse_session_id not in over - {""}), None)


def _find_owner(history: tuple[InitiationRecord, ...], session: Session) -> InitiationRecord | None:
    """Who started it: whose session it is on record, else whose answer was lost, if there is only one of those."""
    known = [entry for entry in history if entry.checkpoint.session.cobrowse_session_id]
    lost = [entry for entry in history if not entry.checkpoint.session.cobrowse_session_id]
    by_id = next((entry for entry in known if _is_same_session(session, entry.checkpoint.session)), None)
    return by_id or (lost[0] if len(lost) == 1 else None)


def offer_is_open(session: Session, now: datetime) -> bool:
    """Whether the customer can still accept it. An end that can't be read is none."""
    end = offer_end(session)
    return end is not None and now < end


def offer_end(session: Session) -> datetime | None:
    """When its offer ends; None if that is not known or can't be read. Without a zone it is UTC."""
    return parse_time(session.offer_ends)


def _is_same_session(shown: Session, known: Session) -> bool:
    """Whether a session that shows is the known one; one whose answer was lost has no id, and any one may be it."""
    return not known.cobrowse_session_id or known.cobrowse_session_id in (shown.cobrowse_session_id, shown.media_id)


def may_stand_unseen(earlier: InitiationRecord, now: datetime | None) -> bool:
    """Whether an earlier invitation was taken lately, by the ledger's clock, and no end of it is known."""
    if (
        earlier.outcome is None
        or earlier.outcome.status is not Status.UNVERIFIED
        or earlier.checkpoint.session.verified
    ):
        return False
    if earlier.updated is None or now is None or offer_end(earlier.checkpoint.session) is not None:
        return False
    return (now - earlier.updated).total_seconds() < UNSEEN_SECONDS


def may_not_be_visible_yet(earlier: InitiationRecord, now: datetime | None) -> bool:
    """Whether the earlier initiation is so young, by the ledger's clock, that its session may have yet to show."""
    if earlier.checkpoint.session.verified:
        return False
    if earlier.updated is None or now is None:
        return True
    return (now - earlier.updated).total_seconds() < sum(PROBE_DELAYS)
