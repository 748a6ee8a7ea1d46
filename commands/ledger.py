"""flask cobrowse ledger: bring its schema up to date, remove what is older than LEDGER_RETENTION_SECONDS."""

import click

from app import build_ledger
from cobrowse.errors import LedgerUnavailable
from commands.group import cobrowse, report_settings_errors
from commands.terminal import say
from settings import load_settings
from web.error_responses import hint_of


@cobrowse.group()
def ledger() -> None:
    """Maintain the ledger at LEDGER_URL."""


@ledger.command()
@report_settings_errors
def upgrade() -> None:
    """Bring the ledger's schema up to this version. SQLite's does that by itself."""
    store = build_ledger(load_settings())
    try:
        before, after = store.upgrade()
    except LedgerUnavailable as error:
        raise click.ClickException(f"{error.message}\n{hint_of(error)}") from None
    finally:
        store.close()
    say(f"The schema is at version {after}." if before == after else f"The schema went from {before} to {after}.")


@ledger.command()
@report_settings_errors
def purge() -> None:
    """Remove what is older than LEDGER_RETENTION_SECONDS. The service does that now and then, too."""
    store = build_ledger(load_settings())
    try:
        removed = store.purge()
    except LedgerUnavailable as error:
        raise click.ClickException(f"{error.message}\n{hint_of(error)}") from None
    finally:
        store.close()
    say(f"{removed} initiation{'' if removed == 1 else 's'} removed.")
