"""A conversation that is started, ended and started again, by several senders, faster than any of it is done."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from cobrowse.ending import build_end_command, can_end
from cobrowse.model import Action, Command
from tests.simulation.callers import MOST_TRIES, Callers, Request
from tests.simulation.scheduler import Scheduler

# Share of the runs in which it happens: where sessions can be ended, and elsewhere.
_OFTEN, _SELDOM = 0.5, 0.1
# Seconds between two requests, at most.
_PACES = (0.0, 0.1, 1.0, 5.0)


def go_back_and_forth(
    world: Scheduler, callers: Callers, names: list[str], deadlines: tuple[float, ...], *, can_be_ended: bool
) -> None:
    """Now and then starts and ends of one conversation take turns. Dice of its own leave the rest as it is."""
    dice = Random(f"back and forth {world.seed}")
    if dice.random() >= (_OFTEN if can_be_ended else _SELDOM):
        return
    name, pace, at = dice.choice(names), dice.choice(_PACES), dice.choice((0.0, 5.0)) * dice.random()
    for number in range(dice.choice((3, 5, 8))):
        request = _request(dice, "end" if number % 2 else "start", name, number, dice.choice(deadlines))
        ask = callers.keyed if request.command.key else callers.keyless
        if request.command.action == "end" and dice.random() < 0.2:
            ask = _end_from_the_console(callers)
        world.spawn(request.label, lambda ask=ask, request=request: ask(request), after=at)
        at += pace * dice.random()
        if dice.random() < 0.1:
            command = replace(request.command, key="")
            look = replace(request, label=f"dry-{number}", command=command, tries=1, dry=True)
            world.spawn(look.label, lambda look=look: callers.keyless(look), after=at)


def _request(dice: Random, action: Action, name: str, number: int, deadline: float) -> Request:
    """One of a flow's data action, with a key or without one, or of a webhook, which has always one."""
    command = Command("architect", "", deadline, conversation_id=name, fingerprint=action, action=action)
    kind, shared = dice.choice(("data action", "data action with a key", "webhook")), dice.random() < 0.3
    if kind == "webhook":
        command = replace(command, sender="crm", fingerprint="")
    if kind != "data action":
        command = replace(command, key=f"{action} again" if shared else f"{action} {number}")
    if action == "start":
        command = replace(command, reuse_live_session=dice.random() < 0.3, check_before_create=dice.random() < 0.5)
    patience, tries = deadline + dice.choice((0.5, 3.0)), MOST_TRIES if command.key else 1
    return Request(f"{action}-{number}", command, patience, tries, repeats=0, pauses=(0.5, 1.0, 4.0))


def _end_from_the_console(callers: Callers) -> Callable[[Request], None]:
    """A person ends what the conversation's newest start has begun, if that is anything."""

    def ask(request: Request) -> None:
        ledger, wanted = callers.service.ledger, request.command.conversation_id
        starts = (row for row in reversed(ledger.rows) if row.command.action == "start" and row.conversation == wanted)
        record = next(map(ledger.entry, starts), None)
        if record is not None and can_end(record):
            command = build_end_command(record, "console", "a person", request.command.deadline_seconds, "")
            callers.keyless(replace(request, command=command, tries=1))

    return ask
