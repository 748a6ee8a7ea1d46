"""How far each side of a conversation has come, read from its participants' communications and their states."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

OVER = frozenset({"disconnected", "terminated", "ended", "closed", "inactive"})
# The lists in which a participant's talk with the other side stands.
_LISTS = ("calls", "chats", "messages", "emails", "callbacks", "videos", "internalMessages", "socialExpressions")


class Presence(StrEnum):
    """How far one side has come. ABSENT: the conversation names its participants, and none of this side.

    UNSHOWN: it names the other side alone, no queue, flow or agent that the customer could be with, so it is not shown
    whole.

    RINGING is alerting, dialing, contacting, offering, and any other state before `connected`.
    """

    UNKNOWN = "unknown"
    UNSHOWN = "unshown"
    ABSENT = "absent"
    RINGING = "ringing"
    CONNECTED = "connected"
    LEFT = "left"


def presence_of(participants: Sequence[Mapping[str, Any]], *purposes: str, otherwise: str = "") -> Presence:
    """The side of these purposes; where nobody has one of them, that of the purpose `otherwise`.

    A conversation without participants that have a purpose says nothing about either side.
    """
    known = [participant for participant in participants if participant["purpose"]]
    if not known:
        return Presence.UNKNOWN
    side = [one for one in known if purpose_of(one) in purposes]
    if not side and otherwise:
        side = [one for one in known if purpose_of(one) == otherwise]
    if not side:
        return Presence.UNSHOWN if len({purpose_of(one) for one in known}) == 1 else Presence.ABSENT
    found = [presence for one in side for presence in _presences(one)]
    for presence in (Presence.CONNECTED, Presence.RINGING, Presence.UNKNOWN):
        if presence in found:
            return presence
    return Presence.LEFT


def purpose_of(participant: Mapping[str, Any]) -> str:
    """What a participant is there for: customer, agent, acd, …, in lower case; "" if it is not said."""
    purpose: str = participant["purpose"]
    return purpose.strip().lower()


def is_over(communication: Mapping[str, str]) -> bool:
    """Whether a communication has ended: by its state, or where it has none by when or how it was disconnected."""
    state = communication["state"].strip().lower()
    return state in OVER or (not state and bool(communication["disconnectedTime"] or communication["disconnectType"]))


def _presences(participant: Mapping[str, Any]) -> Iterator[Presence]:
    """One for each communication; a participant without any is known by its own state and end."""
    communications = [one for name in _LISTS for one in participant[name]]
    for one in communications:
        yield Presence.LEFT if is_over(one) else _by_state(one["state"])
    if not communications:
        over = bool(participant["endTime"]) or participant["state"].strip().lower() in OVER
        yield Presence.LEFT if over else _by_state(participant["state"])


def _by_state(state: str) -> Presence:
    state = state.strip().lower()
    if state == "connected":
        return Presence.CONNECTED
    return Presence.RINGING if state else Presence.UNKNOWN
