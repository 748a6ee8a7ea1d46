"""flask cobrowse ledger: bring its schema up to date, remove what is older than LEDGER_RETENTION."""

import click

from app import ledger_of
from cobrowse.errors import LedgerUnavailable
from commands.group import cobrowse, plainly
from commands.terminal import say
from settings import Settings


@cobrowse.group()
def ledger() -> None:
    """Look after the ledger at LEDGER_URL."""


@ledger.command()
@plainly
def upgrade() -> None:
    """Bring the ledger's schema up to this version. SQLite's does that by itself."""
    store = ledger_of(Settings.from_env())
    try:
        before, after = store.upgrade()
    except LedgerUnavailable as error:
        raise click.ClickException(f"{error.message}\n{error.remedy}") from None
    finally:
        store.close()
    say(f"The schema is at version {after}." if before == after else f"The schema went from {before} to {after}.")


@ledger.command()
@plainly
def purge() -> None:
    """Remove what is older than LEDGER_RETENTION. The service does that now and then, too."""
    store = ledger_of(Settings.from_env())
    try:
        removed = store.purge()
    except LedgerUnavailable as error:
        raise click.ClickException(f"{error.message}\n{error.remedy}") from None
    finally:
        store.close()
    say(f"{removed} initiation{'' if removed == 1 else 's'} removed.")
