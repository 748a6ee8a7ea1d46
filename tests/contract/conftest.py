"""Fixtures that whole suites share."""

from tests.contract.ledgers import database, ledger, opened, server, url

__all__ = ["database", "ledger", "opened", "server", "url"]
