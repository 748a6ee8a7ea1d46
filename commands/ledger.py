"""cobrowse-bridge ledger: bring its schema up to date, remove what is too old, send callbacks again."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

from app import build_ledger
from cobrowse.errors import CobrowseError
from commands.group import Failure, Group
from commands.setting_groups import LEDGER
from commands.terminal import echo, echo_json
from integrations.ledger import LedgerStore
from settings import load_settings
from web.error_responses import hint_of


@contextmanager
def errors_as_failures() -> Iterator[None]:
    """Failure, with the remedy, for an error of the domain in this block, as of an unreachable ledger."""
    try:
        yield
    except CobrowseError as error:
        raise Failure(f"{error.code}: {error.message}", hint_of(error)) from None


@contextmanager
def open_ledger() -> Iterator[LedgerStore]:
    """The ledger at LEDGER_URL until the block ends; needs no other setting. Failure where it is unreachable."""
    with closing(build_ledger(load_settings(only=LEDGER))) as store, errors_as_failures():
        yield store


AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else.")


@click.group(cls=Group)
def ledger() -> None:
    """Maintain the ledger at LEDGER_URL."""


@ledger.command()
@AS_JSON
def upgrade(as_json: bool) -> None:
    """Bring the ledger's schema up to this version. SQLite's does that by itself."""
    with open_ledger() as store:
        before, after = store.upgrade()
    text = f"The schema is at version {after}." if before == after else f"The schema went from {before} to {after}."
    _print_result(text, {"from": before, "to": after}, as_json=as_json)


@ledger.command()
@AS_JSON
def purge(as_json: bool) -> None:
    """Remove what is older than LEDGER_RETENTION_SECONDS. The service does that now and then, too."""
    with open_ledger() as store:
        removed = store.purge()
    _print_result(f"{removed} initiation{'s' * (removed != 1)} removed.", {"removed": removed}, as_json=as_json)


@ledger.command()
@AS_JSON
def resend(as_json: bool) -> None:
    """Make undelivered outcome callbacks due now. Also those that were given up; the service sends them."""
    with open_ledger() as store:
        due = store.callbacks.resend_all()
    _print_result(f"{due} callback{'s' * (due != 1)} made due now.", {"due": due}, as_json=as_json)


def _print_result(text: str, document: object, *, as_json: bool) -> None:
    if as_json:
        echo_json(document)
    else:
        echo(text)
