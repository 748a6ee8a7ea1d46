"""Fixtures that whole suites share."""

from tests.contract.ledgers import ledger, opened, url

__all__ = ["ledger", "opened", "url"]
