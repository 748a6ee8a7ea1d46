"""What a person is asked to do about a sender: seen by every worker and by the command line, for as long as it counts.

It lies among the tokens and is encrypted as they are, since it holds one: the URL that confirms a subscription.
"""

from contextlib import suppress

from cobrowse.errors import LedgerUnavailable
from cobrowse.model import Secret
from integrations.ledger.tokens import TokenTable

# Seconds: Amazon SNS's confirmation is valid for three days.
KEPT = 259_200.0


class NoteTable:
    """The newest note about each sender."""

    def __init__(self, tokens: TokenTable) -> None:
        self._tokens = tokens

    def keep(self, sender: str, note: str) -> None:
        """Keep it in place of the one before. Without a ledger it is in the log and in this worker alone."""
        with suppress(LedgerUnavailable):
            self._tokens.put(f"note:{sender}", Secret(note), KEPT)

    def read(self, sender: str) -> str:
        """The note, "" if there is none that still counts. Raises LedgerUnavailable."""
        found = self._tokens.read(f"note:{sender}")
        return found.value.reveal() if found is not None and found.seconds_left > 0 else ""
