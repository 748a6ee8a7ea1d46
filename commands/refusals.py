"""cobrowse-bridge list --refused: requests that started nothing, each with its cause and its remedy."""

from collections.abc import Sequence
from dataclasses import asdict

from commands.terminal import say, say_json, say_pairs, say_whole, text
from integrations.refusals import Refusal


def list_refusals(refusals: Sequence[Refusal], *, as_json: bool) -> None:
    """Print them, the newest first; times in the terminal's own zone, in JSON in UTC."""
    if as_json:
        moments = ({"first": each.first.isoformat(), "last": each.last.isoformat()} for each in refusals)
        say_json([asdict(each) | times for each, times in zip(refusals, moments, strict=True)])
    elif not refusals:
        say("No refused requests.")
    else:
        for each in refusals:
            times = f"{each.count} times, " if each.count > 1 else ""
            head = f"✗ {each.status} {each.code}  {each.sender}  {times}{each.last.astimezone():%d %b %H:%M:%S}"
            say_whole(text(head, "red"))
            say_pairs((("cause", each.message), ("hint", each.hint), ("address", each.address)), wrap=True)
