"""What the simulation has found of rows that a power cut takes back, and of owners taken for dead: each once more."""

from cobrowse.errors import LedgerUnavailable
from cobrowse.ledger import Acquired, Checkpoint, Claim, State, lock_key_for
from cobrowse.model import Outcome, Session, Status
from tests.simulation.ledger import SimulatedLedger
from tests.simulation.test_findings import Stage, command


class TakenBack(SimulatedLedger):
    """A power cut of the database's takes a claim back as soon as it is won, and somebody else wins it then."""

    def _claim(self, claim):
        claimed = super()._claim(claim)
        if isinstance(claimed, Acquired):
            self.by_id[claimed.entry.id].lease_owner = "somebody else"
        return claimed


def test_a_take_over_sends_nothing_out_under_a_claim_that_a_power_cut_took_back():
    """The row told of that call already, so the take-over put nothing on record before it called."""
    stage = Stage("native", TakenBack)
    asked = command("k", deadline_seconds=20.0)
    died = Checkpoint("native", pending_step="cobrowse", may_have_notified=True, session=Session("c1"))
    stage.ledger._new(Claim("initiation-0", lock_key_for(asked, "initiation-0"), "dead", asked, 0.0, died))

    outcome = stage.play(lambda initiation: initiation(asked))

    assert stage.may_have_notified == []
    assert outcome.failure.code == "in_progress"


class Gone(SimulatedLedger):
    """A power cut of the database's takes a new row back as soon as it is there."""

    def _new(self, claim):
        row = super()._new(claim)
        del self.by_id[row.id], self.slots[row.lock_key]
        return row


def test_a_request_whose_row_a_power_cut_took_back_invites_nobody_and_is_told_to_retry():
    stage = Stage("media", Gone)

    outcome = stage.play(lambda initiation: initiation(command("k")))

    assert stage.may_have_notified == []
    assert (outcome.failure.code, outcome.failure.retryable) == ("ledger_unavailable", True)
    assert outcome.failure.message == "the ledger came back from a crash without this request"


def test_a_latest_that_finds_nothing_is_reported_though_its_row_is_gone():
    stage = Stage("media", TakenBack)
    stage.platform.conversations.clear()

    outcome = stage.play(lambda initiation: initiation(command(conversation_id="", latest=True)))

    assert outcome.failure.code == "no_active_conversation"


class Unmarked(SimulatedLedger):
    """The first time that an end is noted with a start, the ledger is away."""

    away = True

    def mark_ended(self, entry, *, seconds=None):
        if self.away:
            self.away = False
            raise LedgerUnavailable("mark ended")
        super().mark_ended(entry, seconds=seconds)


def test_an_end_that_comes_again_ends_what_has_begun_since():
    """Its first attempt had ended a session, so the next one called nothing and marked the new one as ended."""
    stage = Stage("native", Unmarked)
    stage.platform.hides_offers = stage.platform.hides_invitations = False
    end = command("end", action="end")

    def scene(initiation):
        initiation(command())
        first = initiation(end)
        initiation(command())
        return first, initiation(end)

    first, again = stage.play(scene)

    assert (first.failure.code, again.status) == ("ledger_unavailable", Status.ENDED)
    assert [stage.platform.live(session) for session in stage.platform.sessions.values()] == [False, False]


class BackFromTheDead(SimulatedLedger):
    """A start whose owner was taken for dead puts its offer on record as soon as anybody reads its row again."""

    offer = Session("c1", "session-1", offer_ends="2030-01-01T00:00:00Z")

    def read(self, initiation_id, *, seconds=None):
        row = self.by_id.get(initiation_id)
        if row is not None and row.state is State.RUNNING and row.lease_owner == "dead":
            row.state, row.checkpoint = State.SUCCEEDED, Checkpoint("native", ("cobrowse",), "", True, self.offer)
            row.outcome = Outcome(Status.UNVERIFIED, initiation_id, "corr", self.offer, "native", 1.0, 1)
        return super().read(initiation_id, seconds=seconds)


def test_an_end_is_not_told_while_an_owner_that_was_taken_for_dead_puts_its_offer_on_record():
    stage = Stage("native", BackFromTheDead)
    died = Checkpoint("native", pending_step="cobrowse", may_have_notified=True, session=Session("c1"))
    stage.ledger._new(Claim("initiation-0", "conversation:c1", "dead", command(), 0.0, died))

    outcome = stage.play(lambda initiation: initiation(command("end", action="end")))

    assert (outcome.failure.code, outcome.failure.retryable) == ("genesys_bad_response", True)
