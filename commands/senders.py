"""cobrowse-bridge senders: what is configured, secrets masked, and whether a senders file is valid."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click

from app import build_ledger
from cobrowse.clock import SystemClock
from cobrowse.errors import LedgerUnavailable
from commands.group import ENV_FILE, Group, Misplaced, load_environment
from commands.setting_groups import LEDGER, SENDERS
from commands.terminal import echo, echo_json, echo_pairs
from integrations.senders.registry import Senders
from settings import load_auth, load_settings


def load_configured_senders(file: Path | None = None) -> Senders:
    """The senders of this file, or of SENDERS_FILE. SettingsError for whatever is wrong; needs no other setting."""
    settings = load_settings(only=SENDERS)
    return load_auth(replace(settings, senders_file=str(file)) if file else settings, SystemClock())[1]


@click.group(cls=Group, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.option("--env-file", **ENV_FILE)
@click.pass_context
def senders(context: click.Context, as_json: bool, env_file: Path | None) -> None:
    """List the senders that are configured, secrets masked."""
    if name := context.invoked_subcommand:
        for option, value in (("--env-file", env_file), ("--json", as_json)):
            if value:
                raise Misplaced(option, [name, option, *([str(env_file)] if value is env_file else ())], context)
        return
    load_environment(env_file)
    _list(as_json)


@senders.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the senders and their warnings as JSON.")
def check(file: Path, as_json: bool) -> None:
    """Validate FILE as a start would, and start nothing. Secrets are this environment's."""
    all_senders = load_configured_senders(file)
    if as_json:
        echo_json([{"name": sender.name, "warnings": list(sender.warnings)} for sender in all_senders])
        return
    for sender in all_senders:
        echo(f"{sender.name}: valid")
        for warning in sender.warnings:
            echo(f"warning: {warning}", style="yellow", indent=2)


def _list(as_json: bool) -> None:
    all_senders = load_configured_senders()
    notes = _notes([sender.name for sender in all_senders if sender.leaves_notes])
    if as_json:
        echo_json([{**row, "note": notes.get(str(row["name"]), "")} for row in all_senders.masked()])
        return
    if not all_senders:
        echo("No senders are configured; copy senders.example.toml and set SENDERS_FILE. API_KEYS opens /data-actions.")
    for sender in all_senders:
        secrets = [f"${name} •••" for name in sender.auth_config.names]
        echo(f"/webhooks/{sender.name}", style="bold")
        echo_pairs(
            (
                ("envelope", sender.envelope),
                ("signature", " ".join([sender.signature, *secrets])),
                ("answered within", f"{sender.deadline_seconds:g} s"),
                (
                    "response policy",
                    "200, and success in the body" if sender.always_200 else sender.response_policy.name,
                ),
                ("rate limit", sender.rate_limit),
                ("live session", "reused" if sender.reuse_live_session else "not checked for first"),
                ("handshake", sender.handshake.name if sender.handshake else ""),
                ("from", ", ".join(sender.allow_from)),
                ("note", notes.get(sender.name, "")),
            )
        )
        for warning in sender.warnings:
            echo(f"warning: {warning}", style="yellow", indent=2)


def _notes(senders: list[str]) -> dict[str, str]:
    """What the service's workers have noted about these senders; nothing is opened if there are none."""
    if not senders:
        return {}
    with closing(build_ledger(load_settings(only=LEDGER))) as store:
        try:
            return {sender: store.notes.read(sender) for sender in senders}
        except LedgerUnavailable as error:
            return dict.fromkeys(senders, f"the ledger, which has its notes, can't be read: {error.message}")
