"""The [listen] table of the senders file: which queues and users are listened to."""

from collections.abc import Mapping
from dataclasses import dataclass

from integrations.senders.auth import checks
from schemas.texts import conversation_id_in

# The name under which initiations of the listener are kept, counted and shown.
SENDER = "listen"
# Seconds an initiation may take: nobody waits for its answer.
DEADLINE_SECONDS = 10.0


def _names(value: object) -> str:
    """A list of texts, which may name none where the other list names some."""
    return "" if value == [] else checks.texts(value)


_KEYS = {"queues": _names, "users": _names, "catch_up": checks.boolean}


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """Queues and users by id or name. `catch_up`: ask analytics for the live conversations after a gap."""

    queues: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    catch_up: bool = True


@dataclass(frozen=True, slots=True)
class Subscription:
    """The ids that were found for a ListenConfig's names."""

    queues: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    @property
    def topics(self) -> tuple[str, ...]:
        """What to subscribe to, the queues' first."""
        of_queues = tuple(f"v2.routing.queues.{one}.conversations" for one in self.queues)
        return of_queues + tuple(f"v2.users.{one}.conversations" for one in self.users)


def parse_listen(table: object) -> tuple[ListenConfig | None, list[str]]:
    """The table's configuration, or one line for each thing wrong with it."""
    if not isinstance(table, Mapping):
        return None, ["is not a table of keys"]
    errors = [f"{key[:60]}: not a key of it; there are {', '.join(_KEYS)}" for key in table if key not in _KEYS]
    invalid = {key: error for key, check in _KEYS.items() if key in table and (error := check(table[key]))}
    errors += [f"{key}: {error}{checks.received(table[key])}" for key, error in invalid.items()]
    if not (table.get("queues") or table.get("users")):
        errors.append("queues: neither queues nor users are named, so there is nothing to listen to")
    if errors:
        return None, errors
    names_of = {key: tuple(one.strip() for one in table.get(key, [])) for key in ("queues", "users")}
    return ListenConfig(**names_of, catch_up=table.get("catch_up", True)), []


def is_id(text: str) -> bool:
    """Whether it is an id of Genesys's, and not a name."""
    return text.lower() == conversation_id_in(text) != ""
