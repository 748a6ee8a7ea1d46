"""One run: what the seed draws, the world it happens in, and what is checked when it has come to rest."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from cobrowse.initiation import Genesys, Initiation
from cobrowse.model import Status
from integrations.callbacks.sender import CallbackSender
from integrations.genesys import Flows
from tests.simulation import mixture
from tests.simulation.callers import Callers
from tests.simulation.conversations import Session
from tests.simulation.genesys import Platform
from tests.simulation.invariants import violations
from tests.simulation.ledger import SimulatedLedger
from tests.simulation.scheduler import Scheduler
from tests.simulation.service import Service
from tests.simulation.telling import told

# (COBROWSE_FLOW, what the org has)
_ORGS = (
    ("media", ("media",)),
    ("media", ("media", "native")),
    ("native", ("native",)),
    ("native", ("media", "native")),
    ("auto", ("media",)),
    ("auto", ("native",)),
    ("auto", ("media", "native")),
)
_WRONG_ORG = ("media", ("native",))
# Seconds that a leg of a call takes, at least and at most. (0, 0): whatever can happen at once does, in any order.
_API_LEGS = ((0.0, 0.0), (0.01, 0.06), (0.02, 0.2))
_SLOW = (0.05, 0.5)
_LEDGER_LEGS = ((0.0, 0.0), (0.001, 0.01), (0.001, 0.05))


@dataclass(frozen=True)
class Mutant:
    """A product with another part in it: another ledger or use case, or something between it and its flows.

    `breaks` are words of the violation that it must lead to. `shown_by` is a seed that leads to it, where few do.
    """

    name: str
    breaks: str = ""
    ledger: type[SimulatedLedger] = SimulatedLedger
    disguise: Callable[[Flows], Genesys] = lambda flows: flows
    initiation: type[Initiation] = Initiation
    sender: type[CallbackSender] = CallbackSender
    shown_by: int = 0


@dataclass
class Run:
    """What a seed led to."""

    seed: int
    violations: list[str]
    trace: list[tuple[object, ...]] = field(repr=False, default_factory=list)
    events: int = 0

    def told(self) -> str:
        """The trace, a line an event."""
        lines = (f"{when:10.4f} {who:<28} {' '.join(map(str, words))}" for when, who, *words in self.trace)
        return "\n".join(lines)


SOUND = Mutant("sound")


def run(seed: int, mutant: Mutant = SOUND) -> Run:
    """Everything that this seed decides, to the end."""
    world = Scheduler(seed)
    random = world.random
    mode, endpoints = random.choice(_ORGS) if random.random() > 0.02 else _WRONG_ORG
    slow = random.random() < 0.15
    platform = Platform(world, endpoints)
    ledger = mutant.ledger(world, random.choice(_LEDGER_LEGS))
    service = Service(
        world,
        platform,
        ledger,
        mode=mode,
        workers=random.choice((1, 2, 2, 3)),
        api_legs=_SLOW if slow else random.choice(_API_LEGS),
        shared_tokens=random.random() < 0.5,
        disguise=mutant.disguise,
        initiation=mutant.initiation,
        machines=random.choice((1, 2)),
        admits=Random(f"admission {seed}").choice((0, 0, 0, 2)),
    )
    ledger.lose_workers = service.power_cut
    platform.on_record = lambda session: _on_record(ledger, session)
    platform.stands_unseen = lambda session: _stands_unseen(ledger, platform, session)
    callers = Callers(service)
    world.note("org", mode, *endpoints)
    mixture.open_conversations(world, platform)
    mixture.send_requests(world, callers, platform, mixture.LONG if slow else mixture.DEADLINES)
    rested = world.run()
    if rested:
        world.mischief.budget = 0
        mixture.sweep(world, callers)
        rested = world.run()
    if rested and ledger.cuts:  # the power may have gone in the middle of that
        mixture.sweep(world, callers)
        rested = world.run()
    found = violations(service, callers) if rested else ["the run did not come to rest"]
    if rested and ledger.events() is not None:
        found += told(world, ledger, mutant.sender)
    ledger.close()
    return Run(seed, found, world.trace, world.events)


def _on_record(ledger: SimulatedLedger, session: str) -> bool:
    """Whether the ledger knows until when the customer can accept the offer of this session."""
    known = (row.checkpoint.session for row in ledger.rows if row.checkpoint.may_have_notified)
    return any(each.cobrowse_session_id == session and each.offer_ends for each in known)


def _stands_unseen(ledger: SimulatedLedger, platform: Platform, session: Session) -> bool:
    """Whether its call to invite is known to have succeeded: to who is still at work on it, or by the ledger.

    Once neither is so, nobody could tell it from a call that never arrived, and it shows.
    """
    caller = session.invitations[-1][1]
    win = next((win for win in reversed(ledger.wins) if win.correlation == caller), None)
    if caller not in platform.taken or win is None:
        return False
    row = win.row
    if ledger.by_id.get(row.id) is not row or row.attempts != win.attempt:
        return False
    settled = row.outcome is not None and row.outcome.status is Status.UNVERIFIED and not row.late
    return settled or ledger.at_work(row)
