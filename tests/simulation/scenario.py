"""One run: what the seed draws, the world it happens in, and what is checked when it has come to rest."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from cobrowse.initiation import Genesys, Initiation
from cobrowse.ledger import State
from cobrowse.model import Command, Secret, Status
from integrations.callbacks.sender import CallbackSender
from integrations.genesys import Flows
from tests.simulation.callers import Callers, Request
from tests.simulation.conversations import Session
from tests.simulation.genesys import USER_TOKEN, Platform
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
_DEADLINES = (2.0, 3.0, 5.0, 10.0, 20.0)
_LONG = (10.0, 20.0)
_CREDENTIALS = ("", "", "another")


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
    _open_conversations(world, platform)
    _call(world, callers, platform, _LONG if slow else _DEADLINES)
    rested = world.run()
    if rested:
        world.mischief.budget = 0
        _sweep(world, callers)
        rested = world.run()
    if rested and ledger.cuts:  # the power may have gone in the middle of that
        _sweep(world, callers)
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


def _open_conversations(world: Scheduler, platform: Platform) -> None:
    random = world.random
    for name in ("c1", "c2")[: random.choice((1, 2))]:
        platform.open(name, random.choice(("chat", "chat", "call", "message")))
        if random.random() < 0.08:
            world.at(world.between(0.0, 15.0), lambda name=name: platform.end(name))


def _call(world: Scheduler, callers: Callers, platform: Platform, deadlines: tuple[float, ...]) -> None:
    """The callers of this run, each with its own start."""
    random, dice, named = world.random, Random(f"callers {world.seed}"), Random(f"channels {world.seed}")
    names = list(platform.conversations)
    for number in range(random.choice((1, 1, 2, 2, 2, 3, 4))):
        deadline = random.choice(deadlines)
        patience = deadline + random.choice((-0.5, 0.5, 3.0)) * (deadline / 3)
        name = names[0] if random.random() < 0.8 else names[-1]
        start = random.choice((0.0, 0.0, world.between(0.0, 1.0), world.between(0.0, 30.0)))
        credential = random.choice(_CREDENTIALS)
        command = Command("crm", "", deadline, conversation_id=name, fingerprint=name, credential=credential)
        command = replace(command, check_before_create=named.random() < 0.5)
        if platform.rings and dice.random() < 0.5:
            command = replace(command, start_when=dice.choice(("agent_connected", "customer_connected")))
            command = replace(command, reuse_live_session=dice.random() < 0.5)
        kind = random.random()
        if kind < 0.5:
            _send(world, callers, number, command, patience, start)
        elif kind < 0.9:
            latest = random.random() < 0.1
            command = replace(command, sender="architect")
            if latest:
                command = replace(command, latest=True, conversation_id="", check_before_create=False)
            pauses = random.choice(((0.0, 0.2, 3.0), (0.0, 10.0, 40.0)))
            request = Request(f"flow{number}", command, patience, random.choice((1, 2, 3, 4)), pauses=pauses)
            world.spawn(request.label, lambda request=request: callers.keyless(request), after=start)
        else:
            request = Request(f"event{number}", replace(command, key=f"event{number}"), patience, ignored=True)
            world.spawn(request.label, lambda request=request: callers.ignored_then_wanted(request), after=start)
        if random.random() < 0.15:
            world.spawn("operator", lambda deadline=deadline: callers.operator(deadline))
    _end(world, callers, names, deadlines)


def _end(world: Scheduler, callers: Callers, names: list[str], deadlines: tuple[float, ...]) -> None:
    """Now and then somebody ends what is live, perhaps twice at once. Dice of its own leave the rest as it is."""
    dice = Random(f"ends {world.seed}")
    if dice.random() >= 0.3:
        return
    name, at = dice.choice(names), dice.choice((0.0, 1.0, 10.0, 30.0)) * dice.random()
    for number in range(dice.choice((1, 1, 2))):
        deadline = dice.choice(deadlines)
        key = dice.choice(("end", f"end{number}"))
        command = Command("crm", "", deadline, conversation_id=name, key=key, fingerprint="end", action="end")
        # As long as an offer stands, or an invitation that nobody has seen, there is nothing final to be told.
        request = Request(f"ender{number}", command, deadline + 1.0, repeats=dice.choice((0, 1)), pauses=(3.0, 10.0))
        world.spawn(request.label, lambda request=request: callers.keyed(request), after=at)


def _send(world: Scheduler, callers: Callers, number: int, command: Command, patience: float, start: float) -> None:
    """A sender with keys: its deliveries may overlap, and now and then it uses a key for something else."""
    random = world.random
    special = random.random()
    # Now and then two credentials have the same key.
    command = replace(
        command,
        key=f"key{number if random.random() < 0.8 else ''}",
        reuse_live_session=special < 0.2 or command.reuse_live_session,
    )
    if special > 0.92:
        command = replace(command, latest=True, conversation_id="", fingerprint="latest", check_before_create=False)
    if random.random() < 0.05:
        command = replace(command, user_token=Secret(USER_TOKEN))
    for copy in range(random.choice((1, 1, 1, 2, 3))):
        label = f"sender{number}{'abc'[copy]}"
        request = Request(label, command, patience, repeats=random.choice((0, 1, 2)))
        late = start + random.choice((0.0, world.between(0.0, 2.0)))
        world.spawn(label, lambda request=request: callers.keyed(request), after=late)
    _reuse(world, callers, request, start)


def _reuse(world: Scheduler, callers: Callers, request: Request, start: float) -> None:
    """Now and then a sender takes a key for something else as well."""
    if world.random.random() < 0.05:
        command = replace(request.command, fingerprint="another")
        other = replace(request, label=f"{request.label}-again", command=command, tries=1, repeats=0)
        world.spawn(other.label, lambda: callers.keyed(other), after=start + world.between(0.0, 5.0))


def _sweep(world: Scheduler, callers: Callers) -> None:
    """Deliver once more what a dead worker, or a ledger that was away at the end, has left running."""
    ledger = callers.service.ledger
    left = [row for row in ledger.rows if row.state is State.RUNNING and not row.lock_key.startswith("id:")]
    for row in left:
        command = replace(row.command, deadline_seconds=20.0)
        if not command.key:
            command = replace(command, latest=False)
        request = Request(f"sweep-{row.id}", command, 60.0, repeats=0, pauses=(30.0,))
        world.spawn(request.label, lambda request=request: callers.keyed(request))
