"""`python -m tests.performance.looks`: what checking the conversation before `create` costs, and what it prevents.

Each kind of conversation is started in the media flow on a sandbox, once as by a data action that names its channel,
and once as by one that does not. For each it prints the calls to Genesys and the sessions that nobody was invited to.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from app import build
from cobrowse.model import Command, Secret
from sandbox.server import Sandbox, start
from settings import Settings

ROUNDS = 20


def _left(box: Sandbox) -> str:
    conversation = box.add_conversation("webchat").id
    return box.state.move(conversation, customer="disconnected").id


def _started(box: Sandbox) -> str:
    conversation = box.add_conversation("webchat").id
    session = box.state.create({})
    box.state.attach(conversation, session.id, partial(box.faults.next_visibility_delay, "attach"))
    return conversation


# Each makes a conversation on this sandbox and says which.
KINDS: dict[str, Callable[[Sandbox], str]] = {
    "live": lambda box: box.add_conversation("webchat").id,
    "ended": lambda box: box.add_conversation("webchat", "ended").id,
    "an e-mail": lambda box: box.add_conversation("email").id,
    "unknown": lambda _: str(uuid4()),
    "the customer has left": _left,
    "has a live session": _started,
}


@dataclass(frozen=True)
class Cost:
    """Of one initiation, on average: calls besides the token's, and sessions that reached no customer."""

    calls: float
    orphans: float


def measure(kind: str, *, look: bool, rounds: int = ROUNDS) -> Cost:
    """What starting a conversation of this kind costs."""
    with start(rate_limit=None) as box, tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            sandbox=True,
            genesys_api_url=box.url,
            genesys_login_url=box.url,
            cobrowse_flow="media",
            ledger_url=Secret(f"sqlite:///{folder}/ledger.sqlite3"),
        )
        parts = build(settings)
        ours = [KINDS[kind](box) for _ in range(rounds)]
        there, asked = len(box.sessions()), len(box.calls())
        for number, conversation in enumerate(ours):
            parts.initiate(Command("measure", f"c-{number}", 10.0, conversation, check_before_create=look))
        calls = len(box.calls()) - asked - len(box.calls("token"))
        orphans = sum(session.conversation_id is None for session in box.sessions()[there:])
        assert parts.store is not None
        parts.store.close()
        return Cost(calls / rounds, orphans / rounds)


def table(rounds: int = ROUNDS) -> list[str]:
    """The lines of the table."""
    lines = ["| conversation | calls | with a check | orphans | with a check |", "|---|---|---|---|---|"]
    for kind in KINDS:
        without, looked = (measure(kind, look=look, rounds=rounds) for look in (False, True))
        lines.append(f"| {kind} | {without.calls:g} | {looked.calls:g} | {without.orphans:g} | {looked.orphans:g} |")
    return lines


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
