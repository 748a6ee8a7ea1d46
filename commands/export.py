"""cobrowse-bridge export: the initiations of a time range, a line each, for a spreadsheet or a program."""

import re
from datetime import datetime, timedelta

import click

from cobrowse.clock import SystemClock
from cobrowse.ledger import InitiationRecord
from commands.group import Command
from commands.initiations import facts, find_initiations
from commands.ledger import open_ledger
from commands.terminal import echo_csv_row, echo_json_line
from schemas.answers import LINKS
from web.responses import to_answer

UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_AGO = re.compile(rf"([0-9]{{1,6}})\s*({'|'.join(UNITS)})")
# Of the answer; each is empty while an initiation runs.
ANSWER = (
    *("status", "cobrowseSessionId", "verified", "flow", "durationMs", "upstreamCalls"),
    *("errorCode", "errorMessage", "retryable"),
)


def parse_moment(text: str) -> datetime:
    """A moment with its zone: ISO 8601, in this machine's zone unless it names one, or how long ago."""
    try:
        if ago := _AGO.fullmatch(text.strip()):
            return SystemClock().now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        examples = "such as 2026-11-27, 2026-11-27T09:00, 2026-11-27T09:00:00Z, or 90min, 24h, 7d ago"
        raise click.BadParameter(f"{text[:60]!r} is not a time {examples}") from None


@click.command(cls=Command)
@click.argument("search", required=False, default="")
@click.option(
    "--since",
    type=parse_moment,
    metavar="WHEN",
    help="Those that came then or later: 2026-11-27T09:00, or 24h for a day ago.",
)
@click.option("--until", type=parse_moment, metavar="WHEN", help="Those that came before then.")
@click.option("--failed", is_flag=True, help="Those that failed, only.")
@click.option("--sender", help="Those of this sender, only.")
@click.option("--links", is_flag=True, help="Add the links and codes, with which anybody can join.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line in place of CSV.")
def export(
    search: str,
    since: datetime | None,
    until: datetime | None,
    failed: bool,
    sender: str | None,
    links: bool,
    as_json: bool,
) -> None:
    """Print the initiations of a time range as CSV.

    The newest come first; times are UTC; SEARCH is as for list. Nothing secret is in it, unless --links asks for
    the links.
    """
    if since and until and since >= until:
        raise click.UsageError("--since is not before --until, so nothing can be between them")
    with open_ledger() as store:
        found = find_initiations(store, search, sender, failed=failed, since=since, until=until)
        for number, each in enumerate(found):
            line = row(each, links=links)
            if as_json:
                echo_json_line(line)
                continue
            if number == 0:
                echo_csv_row(line)
            echo_csv_row(line.values())


def row(entry: InitiationRecord, *, links: bool) -> dict[str, object]:
    """The initiation, flat; every one has the same names in the same order."""
    answer = to_answer(entry.ended_outcome) if entry.ended_outcome is not None else {}
    return facts(entry) | {name: answer.get(name, "") for name in (*ANSWER, *(LINKS if links else ()))}
