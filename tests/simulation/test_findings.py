"""What the simulation has found, each told once more in the fewest words that show it."""

from dataclasses import replace

import pytest

from cobrowse.errors import GenesysRateLimited, GenesysTimeout, LedgerUnavailable
from cobrowse.flow import Attempt, Flow, Step, run
from cobrowse.ledger import Acquired, Checkpoint, Claim, InitiationRecord, Lease, LeaseLost, State, lock_key_for
from cobrowse.model import Command, Failure, Outcome, Session, Status
from tests.clocks import ManualClock
from tests.simulation.genesys import Platform
from tests.simulation.ledger import SimulatedLedger
from tests.simulation.scheduler import Scheduler
from tests.simulation.service import Service


class Stage:
    """The simulation without mischief: `play` runs a scene as an actor, with one worker's initiation."""

    def __init__(self, mode, ledger=SimulatedLedger):
        self.world = Scheduler(1)
        self.world.mischief.budget = 0
        self.platform = Platform(self.world, (mode,))
        self.platform.lag = self.platform.sessions_end = 0.0
        self.platform.token_life, self.platform.refuses = 3600.0, ""
        self.platform.one_at_a_time = self.platform.forgets_ended = False
        self.platform.open("c1", "chat")
        self.ledger = ledger(self.world, (0.0, 0.0))
        self.service = Service(
            self.world,
            self.platform,
            self.ledger,
            mode=mode,
            workers=1,
            api_legs=(0.01, 0.02),
            shared_tokens=False,
            disguise=lambda flows: flows,
        )

    def play(self, scene):
        told = []
        self.world.spawn("scene", lambda: told.append(scene(self.service.workers[0].initiation)))
        assert self.world.run()
        return told[0]

    @property
    def may_have_notified(self):
        return [when for session in self.platform.sessions.values() for when, _ in session.invitations]


def command(key="", **fields):
    usual = {"deadline_seconds": 5.0, "conversation_id": "c1", "fingerprint": "f"}
    return Command("crm", "corr", key=key, **usual | fields)


class Unsettled(SimulatedLedger):
    """Its first `complete` is never heard of: the row stays running until its lease is over."""

    away = True

    def complete(self, *args, **more):
        if self.away:
            self.away = False
            raise LedgerUnavailable("settle")
        super().complete(*args, **more)


def lost(attempt):
    attempt.clock.time += 1.5
    raise GenesysTimeout("no answer", ambiguous=True)


def one_step(run_it):
    step = Step("cobrowse", run_it, probe=lambda _attempt: None, has_side_effect=True, notifies_customer=True)
    return Flow("native", (step,))


def test_a_check_that_the_deadline_cuts_short_does_not_say_that_nothing_happened():
    calls = []

    def effect(attempt):
        calls.append(attempt)
        lost(attempt)

    attempt = Attempt(command(deadline_seconds=2.0), "i", "h", ManualClock())
    with pytest.raises(GenesysTimeout):
        run(one_step(effect), attempt, Checkpoint(), lambda _progress: None)
    assert len(calls) == 1
    assert attempt.checkpoint.pending_step == "cobrowse"


def test_a_call_that_could_not_be_put_on_record_has_invited_nobody():
    def away(_progress):
        raise LedgerUnavailable("begin")

    attempt = Attempt(command(), "i", "h", ManualClock())
    with pytest.raises(LedgerUnavailable):
        run(one_step(lost), attempt, Checkpoint(), away)
    assert attempt.checkpoint == Checkpoint()


def test_a_failure_that_is_certain_leaves_nothing_to_look_for():
    def busy(_attempt):
        raise GenesysRateLimited("429", retry_after=30)

    attempt = Attempt(command(), "i", "h", ManualClock())
    with pytest.raises(GenesysRateLimited):
        run(one_step(busy), attempt, Checkpoint(), lambda _progress: None)
    assert attempt.checkpoint.pending_step == ""


@pytest.mark.parametrize("mode", ["media", "native"])
def test_latest_stays_with_the_conversation_that_was_begun_with(mode):
    stage = Stage(mode, Unsettled)
    latest = command("k", conversation_id="", latest=True)

    def scene(initiation):
        first = initiation(latest)
        stage.platform.open("c2", "chat")
        stage.world.pause(30.0)
        return first, initiation(latest)

    first, second = stage.play(scene)
    assert second.session.conversation_id == first.session.conversation_id == "c1"
    assert second.session.cobrowse_session_id == first.session.cobrowse_session_id
    assert len(stage.may_have_notified) == 1


def test_an_ignored_delivery_that_is_wanted_by_now_starts():
    stage = Stage("media")

    def scene(initiation):
        return initiation.ignore(command("k"), "another event"), initiation(command("k"))

    ignored, wanted = stage.play(scene)
    assert (ignored.status, wanted.status) == (Status.IGNORED, Status.INITIATED)
    assert len(stage.ledger.rows) == 1


def test_a_live_session_is_the_answer_under_every_key_and_once_it_is_over_one_is_started():
    stage = Stage("media")

    def scene(initiation):
        first, other = initiation(command()), initiation(command("k"))
        stage.platform.sessions[first.session.cobrowse_session_id].ended = stage.world.now
        return first, other, initiation(command("k")), initiation(command("another"))

    first, other, replayed, third = stage.play(scene)
    assert (other.status, third.status) == (Status.ALREADY_ACTIVE, Status.INITIATED)
    assert other.session.cobrowse_session_id == first.session.cobrowse_session_id
    assert (replayed, replayed.replayed) == (replace(other, spans=()), True)
    assert len(stage.may_have_notified) == 2


def test_a_take_over_waits_for_a_younger_one_that_was_claimed_before_it():
    stage = Stage("media")
    old, young = command("a", deadline_seconds=20.0), command("b", deadline_seconds=20.0)
    stage.ledger._new(
        Claim("initiation-0", lock_key_for(old, ""), "dead", old, 0.0, Checkpoint("media", pending_step="create"))
    )
    told = []
    for asked in (young, old):
        stage.world.spawn("asks", lambda asked=asked: told.append(stage.service.workers[0].initiation(asked)))
    assert stage.world.run()
    assert sorted(outcome.status for outcome in told) == [Status.INITIATED, Status.JOINED]
    assert len(stage.may_have_notified) == 1


def test_a_persons_retry_joins_a_running_one_of_the_conversation():
    stage = Stage("media")
    stage.ledger._new(Claim("initiation-0", "key:crm::old", "dead", command("old"), 0.0, Checkpoint("media")))
    row = stage.ledger.by_id["initiation-0"]
    row.state = State.FAILED_FINAL
    told = []
    initiation = stage.service.workers[0].initiation
    stage.world.spawn("sender", lambda: told.append(initiation(command("b"))))
    entry = stage.ledger.entry(row)
    stage.world.spawn("x/person", lambda: told.append(initiation.retry(entry, 5.0, "person")), after=0.005)
    assert stage.world.run()
    assert [outcome.status for outcome in told] == [Status.INITIATED, Status.JOINED]
    assert told[1].initiation_id == "initiation-0"
    assert len(stage.may_have_notified) == 1


def test_one_that_waited_for_one_that_died_looks_what_it_has_left():
    stage = Stage("media")
    keyed = command("k")

    def scene(initiation):
        claim = Claim("dead", lock_key_for(keyed, "dead"), "dead worker", keyed, lease_seconds=2.0)
        stage.ledger.claim(claim)
        # It gets as far as the invitation after the other has seen it on record, and dies.
        session = stage.platform._new("media", "dead", 0.0)
        conversation = stage.platform.conversations["c1"]
        stage.world.at(1.0, lambda: stage.platform._invite(session, conversation, "dead"))
        return initiation(command())

    told = stage.play(scene)
    assert told.status is Status.ALREADY_ACTIVE
    assert len(stage.may_have_notified) == 1


def test_a_session_that_the_customer_has_closed_was_there_all_the_same():
    stage = Stage("media", Unsettled)

    def scene(initiation):
        first = initiation(command("k"))
        stage.platform.sessions[first.session.cobrowse_session_id].ended = stage.world.now
        stage.world.pause(30.0)
        return first, initiation(command("k"))

    first, second = stage.play(scene)
    assert second.success
    assert second.session.cobrowse_session_id == first.session.cobrowse_session_id
    assert len(stage.may_have_notified) == 1


class DoctorSettings:
    """A ledger that says what a test wants: what a claim wins, and what is read."""

    def __init__(self, won, read=None):
        self.won, self.entry = won, read
        self.settled = []

    def find(self, _slot, *, seconds=None):
        return None

    def claim(self, _claim, *, seconds=None):
        return self.won

    def save_checkpoint(self, *_, seconds=None):
        raise LeaseLost

    def complete(self, _lease, checkpoint, _outcome, *, seconds=None):
        self.settled.append(checkpoint)

    def read(self, _id, *, seconds=None):
        return self.entry

    def wait(self, _id, _seconds):
        pass


FAILED = Outcome(Status.FAILED, "theirs", "corr", failure=Failure("genesys_timeout", "", "", True, False))


def test_one_that_hears_that_an_earlier_one_failed_keeps_its_own_session():
    stage = Stage("media")
    mine = Checkpoint("media", ("create",), "attach", session=Session("c1", "mine"))
    other = InitiationRecord(
        "other", command("k"), State.RUNNING, 1, Checkpoint(session=Session("c1", "theirs")), "h", 9.0
    )
    ledger = DoctorSettings(
        Acquired(InitiationRecord("row", command(), State.RUNNING, 2, mine), (Lease("other", "h"),)),
        replace(other, state=State.FAILED_RETRYABLE, outcome=FAILED),
    )
    told = stage.play(lambda initiation: replace(initiation, ledger=ledger)(command()))
    assert told.failure == FAILED.failure
    assert ledger.settled == [mine]


def test_one_that_has_lost_its_lease_gives_the_answer_of_who_took_it_over():
    stage = Stage("media")
    entry = InitiationRecord(
        "row", command("k"), State.RUNNING, 1, Checkpoint("media", pending_step="create"), "me", 9.0
    )
    theirs = Outcome(Status.INITIATED, "row", "corr", Session("c1", "s"))
    ledger = DoctorSettings(Acquired(entry), replace(entry, state=State.SUCCEEDED, outcome=theirs))
    told = stage.play(lambda initiation: replace(initiation, ledger=ledger)(command("k")))
    assert told == theirs
    assert told.replayed
    assert not stage.may_have_notified


def test_only_what_may_show_yet_is_waited_for():
    stage = Stage("media")
    stage.platform.lag = 0.0

    def scene(initiation):
        first = initiation(command())
        stage.platform.sessions[first.session.cobrowse_session_id].ended = stage.world.now
        row = stage.ledger.by_id[first.initiation_id]
        row.checkpoint = row.checkpoint._replace(session=row.checkpoint.session._replace(verified=False))
        at_once = initiation(command(deadline_seconds=0.5))
        stage.world.pause(1.0)
        return at_once, initiation(command(deadline_seconds=0.5))

    at_once, later = stage.play(scene)
    assert at_once.failure.code == "genesys_timeout"
    assert later.status is Status.INITIATED
