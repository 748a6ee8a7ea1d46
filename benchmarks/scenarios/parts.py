"""The questions, and whom each is put to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contenders import Contender

from scenarios.calls import native, replay
from scenarios.growth import growth, memory
from scenarios.ledgers import ledger_share
from scenarios.overload import overload
from scenarios.slow import slow_clients
from scenarios.window import Bench


@dataclass(frozen=True)
class Part:
    """A question and whom it is put to. Those that take minutes are asked only by name."""

    name: str
    ask: Callable[[Bench, Contender], dict[str, Any]]
    whom: tuple[str, ...] = ("ours",)
    by_default: bool = True


PARTS = (
    Part("overload", overload, ("ours", "fastapi_aiohttp")),
    Part("slow", slow_clients),
    Part("replay", replay),
    Part("native", native),
    Part("ledger", ledger_share),
    Part("memory", memory, by_default=False),
    Part("growth", growth, by_default=False),
)
