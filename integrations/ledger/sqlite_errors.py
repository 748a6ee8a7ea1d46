"""What is wrong with a SQLite file and what helps, by the first words of SQLite's own name for the error."""

import sqlite3

from cobrowse.errors import LedgerUnavailable

_LOCKED = ("is locked by another process", "End whatever holds a transaction open on it, a backup say.")

MESSAGES = {
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_FULL": ("can't grow: the disk is full", "Free some space on the disk that holds LEDGER_URL."),
    "SQLITE_READONLY": ("can't be written", "Let the service's user write the file and the directory it is in."),
    "SQLITE_CANTOPEN": (
        "can't be opened",
        "Check that LEDGER_URL's directory exists and that the service's user may write there.",
    ),
    "SQLITE_NOTADB": (
        "is not a SQLite database",
        "Point LEDGER_URL at another file; or stop the service, move this one away, and start it again.",
    ),
    "SQLITE_CORRUPT": (
        "is damaged",
        "Stop the service, put a backup in its place (with none, move it away and a new one is made), start it again.",
    ),
    "SQLITE_IOERR": ("can't be read or written: disk I/O error", "Check the disk that holds LEDGER_URL."),
}
# The connection can be used on after these: nothing of it is in doubt.
_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_CONSTRAINT")


def unavailable(location: str, error: sqlite3.Error) -> LedgerUnavailable:
    """The error that says what keeps the file from being used."""
    name = getattr(error, "sqlite_errorname", "")
    known = (said for start, said in MESSAGES.items() if name.startswith(start))
    what, hint = next(known, (f"can't be used: {error}", ""))
    return LedgerUnavailable(f"{location} {what}", hint=hint)


def breaks_connection(error: sqlite3.Error) -> bool:
    """Whether the file must be opened anew after this error."""
    return not getattr(error, "sqlite_errorname", "SQLITE_CONSTRAINT").startswith(_PASSING)
