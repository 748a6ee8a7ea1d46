"""What the heart is handed in a test: a ledger and a Genesys that say what it wants and note what they are told."""

from itertools import count

from cobrowse.flow import Flow, FlowUnavailable, Step
from cobrowse.initiation import Initiation
from cobrowse.ledger import Acquired, Checkpoint, InitiationRecord, State
from cobrowse.model import Command, Outcome, Session, Sessions, Span, Status
from cobrowse.outcomes import state_of
from tests.clocks import ManualClock


def command(**fields):
    return Command(**{"sender": "crm", "correlation_id": "corr", "deadline_seconds": 10.0} | fields)


IN_C1 = command(conversation_id="c-1")
# What becomes of it on a ScriptedGenesys that says nothing else.
DONE = Session("c-1", "s-1", "m-1", verified=True)


def entry(initiation_id="theirs", state=State.RUNNING, *, of=None, **fields):
    """An entry of the ledger; `of` is its command."""
    usual = {"attempts": 1, "checkpoint": Checkpoint()}
    return InitiationRecord(initiation_id, of or command(conversation_id="c-1"), state, **usual | fields)


def ended(initiation_id="theirs", state=State.SUCCEEDED, *, outcome=None, **fields):
    """An entry that has its answer."""
    theirs, spans = Session("c-1", "their-session"), (Span("step", "theirs", 0.0, 1.0),)
    usual = Outcome(Status.INITIATED, initiation_id, "their-corr", theirs, "media", 9.0, 4, spans=spans)
    return entry(initiation_id, state, outcome=outcome or usual, **fields)


class ScriptedLedger:
    """Each list holds what comes next: a value or an error. What isn't scripted is won, absent or done."""

    def __init__(self, clock, *, claims=(), finds=(), reclaims=(), reads=(), settles=()):
        self.clock = clock
        self.next = {
            "claim": [*claims],
            "find": [*finds],
            "reclaim": [*reclaims],
            "read": [*reads],
            "settle": [*settles],
        }
        self.claims, self.found, self.told, self.waits = [], [], [], []

    def _answer(self, what, usual):
        answer = self.next[what].pop(0) if self.next[what] else usual
        if isinstance(answer, Exception):
            raise answer
        return answer

    def claim(self, claim, *, seconds=None):
        self.claims.append(claim)
        self.waits.append(("claim", seconds))
        mine = InitiationRecord(
            claim.id, claim.command, State.RUNNING, 1, claim.checkpoint, claim.lease_owner, claim.lease_seconds
        )
        return self._answer("claim", Acquired(mine))

    def find(self, lock_key, *, seconds=None):
        self.found.append(lock_key)
        self.waits.append(("find", seconds))
        return self._answer("find", None)

    def reclaim(self, lease, lease_seconds, *, seconds=None):
        self.told.append(("reclaim", *lease, lease_seconds))
        self.waits.append(("reclaim", seconds))
        return self._answer("reclaim", None)

    def save_checkpoint(self, lease, checkpoint, *, seconds=None):
        self.waits.append(("begin", seconds))
        self.told.append(("begin", *lease, checkpoint))

    def complete(self, lease, checkpoint, outcome, *, seconds=None):
        self.waits.append(("settle", seconds))
        self.told.append(("settle", *lease, state_of(outcome), checkpoint, outcome))
        self._answer("settle", None)

    def read(self, initiation_id, *, seconds=None):
        self.waits.append(("read", seconds))
        self.told.append(("read", initiation_id))
        return self._answer("read", None)

    def wait(self, initiation_id, seconds):
        self.told.append(("wait", initiation_id, seconds))
        self.clock.time += seconds

    @property
    def settled(self):
        """What was settled, without whom it was told by."""
        return [tuple(rest) for what, *rest in self.told if what == "settle"]


class ScriptedGenesys:
    """A flow of two effects and a look. `fails` are errors by step, `live` and `over` what each look shows."""

    def __init__(self, *, fails=None, live=(), over=(), webchat="found", verified=True):
        self.fails = {step: [*errors] for step, errors in (fails or {}).items()}
        self.live, self.over, self.webchat, self.verified = [*live], over, webchat, verified
        # The first is in force, until the org turns out not to have it.
        self.flows = ("media", "native")
        self.calls, self.asked = [], []

    def flow(self, name=""):
        self.asked.append(name)
        steps = (
            Step("create", self._does("create", {"cobrowse_session_id": "s-1"}), has_side_effect=True),
            Step(
                "attach",
                self._does("attach", {"media_id": "m-1"}),
                lambda _: None,
                has_side_effect=True,
                notifies_customer=True,
            ),
            Step("verify", self._does("verify", {"verified": self.verified})),
        )
        return Flow(name or self.flows[0], steps)

    def sessions(self, attempt):
        self.calls.append(("look", attempt.command.conversation_id))
        shown = self.live.pop(0) if len(self.live) > 1 else (self.live[0] if self.live else ())
        if isinstance(shown, Exception):
            raise shown
        return Sessions(shown, self.over)

    def newest_webchat(self, attempt):
        self.calls.append(("find", attempt.initiation_id))
        if isinstance(self.webchat, Exception):
            raise self.webchat
        return self.webchat

    def _does(self, name, facts):
        def act(attempt):
            self.calls.append((name, attempt.command.conversation_id))
            if self.fails.get(name):
                error = self.fails[name].pop(0)
                if isinstance(error, FlowUnavailable):
                    self.flows = self.flows[1:]
                raise error
            return facts

        return act


class Watch:
    """An observer that keeps what it is told."""

    def __init__(self):
        self.spans, self.outcomes = [], []

    def on_span_end(self, attempt, span):
        self.spans.append((attempt.initiation_id, span))

    def on_outcome(self, command, outcome):
        self.outcomes.append((command, outcome))


def initiation(genesys=None, *, clock=None, observers=(), **ledger):
    """An Initiation on these; its parts are to be found on it. Its ids are id-1, id-2, …."""
    clock = clock or ManualClock()
    numbers = count(1)
    settings = {name: ledger.pop(name) for name in ("admission", "ledger_required") if name in ledger}
    return Initiation(
        genesys or ScriptedGenesys(),
        ScriptedLedger(clock, **ledger),
        clock,
        lambda: f"id-{next(numbers)}",
        "worker",
        observers=observers,
        **settings,
    )
