"""How long what was just attached stays unseen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lag:
    """How long a new medium stays unseen: for so many looks at its conversation, and for so many seconds."""

    looks: int = 0
    seconds: float = 0.0


NO_LAG = Lag()
