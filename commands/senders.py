"""cobrowse-bridge senders: what is configured, secrets masked."""

import click

from app import load_auth
from cobrowse.clock import SystemClock
from commands.group import Command
from commands.terminal import say, say_json, say_pairs
from integrations.senders.registry import Senders
from settings import SENDERS, load_settings


def configured_senders() -> Senders:
    """The senders of SENDERS_FILE. SettingsError for whatever is wrong with it; needs no other setting."""
    return load_auth(load_settings(only=SENDERS), SystemClock())[1]


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def senders(as_json: bool) -> None:
    """List the senders that are configured, secrets masked."""
    known = configured_senders()
    rows = known.masked()
    if as_json:
        say_json(rows)
        return
    if not rows:
        say("No senders are configured; copy senders.example.toml and set SENDERS_FILE. API_KEYS opens /data-actions.")
    for row in rows:
        held = row["secrets"] if isinstance(row["secrets"], list) else []
        told = "200, and success in the body" if row["always200"] else f"{row['responsePolicy']}"
        say(f"{row['path']}", style="bold")
        say_pairs(
            (
                ("envelope", str(row["envelope"])),
                ("signature", f"{row['signature']} {' '.join(held)}".rstrip()),
                ("answered within", f"{row['deadlineSeconds']:g} s"),
                ("response policy", told),
                ("rate limit", str(row["rateLimit"])),
                ("live session", "reused" if row["reuseLiveSession"] else "not checked for first"),
                ("handshake", str(row["handshake"] or "")),
                ("from", ", ".join(map(str, row["allowFrom"])) if isinstance(row["allowFrom"], list) else ""),
            )
        )
        for warning in known.rows[str(row["name"])].warnings:
            say(f"warning: {warning}", style="yellow", indent=2)
