"""What a run left behind: what Genesys did, what the ledger kept and what the callers were told."""

from collections import defaultdict

from tests.simulation.callers import Callers
from tests.simulation.conversations import Session
from tests.simulation.genesys import Platform
from tests.simulation.rows import Row, Settled, Win
from tests.simulation.service import Delivery, Service


class Evidence:
    """What a run left behind, by whom and by which row."""

    def __init__(self, service: Service, callers: Callers) -> None:
        self.service = service
        self.platform: Platform = service.platform
        self.ledger = service.ledger
        self.requests = callers.requests
        self.deliveries = service.deliveries
        self.by_correlation = {delivery.command.correlation_id: delivery for delivery in service.deliveries}
        self.wins: dict[str, list[Win]] = defaultdict(list)
        for win in self.ledger.wins:
            self.wins[win.correlation].append(win)
        self.settled: dict[str, list[Settled]] = defaultdict(list)
        for settled in self.ledger.settled:
            self.settled[settled.row.id].append(settled)

    def identity(self, correlation: str) -> str:
        """Whose call it was."""
        return self.by_correlation[correlation].identity

    def win(self, correlation: str, when: float) -> Win | None:
        """The claim under which this delivery did something at that time."""
        return next((win for win in reversed(self.wins[correlation]) if win.at <= when), None)

    def is_on_record(self, delivery: Delivery) -> bool:
        """Whether it is a person's who runs again what has succeeded by then, and is shown the answer on record."""
        return delivery.again is not None and not self.wins[delivery.command.correlation_id]

    def row_of(self, session: Session) -> Row:
        """The row that a session was made under."""
        return self.win(session.created_by, session.asked).row
