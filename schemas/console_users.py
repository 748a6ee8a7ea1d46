"""CONSOLE_USERS: who may sign in to the console, as what, and the hashes of their passwords."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from marshmallow import ValidationError

Role = Literal["viewer", "operator"]
ROLES: tuple[str, ...] = get_args(Role)
MAKE_A_USER = "cobrowse-bridge console-user NAME"

_NAME = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
# Werkzeug's scrypt, with dots in place of its dollars: shells and compose files take what follows a dollar for a name.
_HASH = re.compile(r"scrypt:\d{1,7}:\d{1,2}:\d{1,2}\.[A-Za-z0-9]{8,64}\.[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class ConsoleUser:
    """A person who may sign in. An operator may also retry initiations and end sessions."""

    name: str
    role: Role
    password_hash: str


def parse_users(rows: Sequence[str]) -> tuple[ConsoleUser, ...]:
    """The users of these rows, name:role:hash. ValidationError with a line for each that is wrong."""
    users: dict[str, ConsoleUser] = {}
    wrong: list[str] = []
    for number, row in enumerate(rows, 1):
        name, _, rest = row.partition(":")
        role, _, password_hash = rest.partition(":")
        # What may be a password is never shown.
        if not _NAME.fullmatch(name) or role not in ROLES or not _HASH.fullmatch(password_hash):
            wrong.append(f"entry {number} is not name:role:hash, role viewer or operator; make one: {MAKE_A_USER}")
        elif name in users:
            wrong.append(f"entry {number}: the name {name} is there before; give each person one entry")
        else:
            users[name] = ConsoleUser(name, cast("Role", role), password_hash)
    if wrong:
        raise ValidationError(wrong)
    return tuple(users.values())
