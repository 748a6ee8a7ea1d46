"""Who asks for what in a run, and when: drawn from the seed."""

from dataclasses import replace
from random import Random

from cobrowse.ledger import State
from cobrowse.model import Command, Secret
from tests.simulation.back_and_forth import go_back_and_forth
from tests.simulation.callers import Callers, Request
from tests.simulation.genesys import USER_TOKEN, Platform
from tests.simulation.scheduler import Scheduler

# Seconds of a caller's deadline: usual ones, and where everything is slow.
DEADLINES = (2.0, 3.0, 5.0, 10.0, 20.0)
LONG = (10.0, 20.0)
_CREDENTIALS = ("", "", "another")


def open_conversations(world: Scheduler, platform: Platform) -> None:
    random = world.random
    for name in ("c1", "c2")[: random.choice((1, 2))]:
        platform.open(name, random.choice(("chat", "chat", "call", "message")))
        if random.random() < 0.08:
            world.at(world.between(0.0, 15.0), lambda name=name: platform.end(name))


def send_requests(world: Scheduler, callers: Callers, platform: Platform, deadlines: tuple[float, ...]) -> None:
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
    _ask_for_status(world, callers)
    go_back_and_forth(world, callers, names, deadlines, can_be_ended=platform.endpoints == ("native",))


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


def _ask_for_status(world: Scheduler, callers: Callers) -> None:
    """Now and then somebody asks what has become of the starts. Dice of its own leave the other runs as they are."""
    dice = Random(f"status {world.seed}")
    if dice.random() >= 0.1:
        return
    for number in range(dice.choice((2, 4))):
        after = dice.choice((1.0, 10.0, 40.0)) * dice.random()
        world.spawn(f"asker{number}", lambda: callers.ask_for_status(dice), after=after)


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


def sweep(world: Scheduler, callers: Callers) -> None:
    """Deliver once more what a dead worker, or a ledger that was away at the end, has left running."""
    ledger = callers.service.ledger
    left = [row for row in ledger.rows if row.state is State.RUNNING and not row.lock_key.startswith("id:")]
    for row in left:
        command = replace(row.command, deadline_seconds=20.0)
        if not command.key:
            command = replace(command, latest=False)
        request = Request(f"sweep-{row.id}", command, 60.0, repeats=0, pauses=(30.0,))
        world.spawn(request.label, lambda request=request: callers.keyed(request))
