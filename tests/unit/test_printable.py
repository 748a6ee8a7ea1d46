"""What is printed can't steer a terminal, and is readable in every script."""

import io
import json
import re
from pathlib import Path

import click
import pytest
import structlog

from commands.group import Failure, Group, run
from commands.terminal import echo, echo_check, echo_json, echo_json_line, echo_pairs, echo_table, echo_unwrapped
from integrations.observability.logging import configure_logging
from integrations.observability.printable import printable, printable_json

HOSTILE = {
    "window title": "\x1b]0;owned\x07",
    "clipboard (OSC 52)": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "false link (OSC 8)": "\x1b]8;;https://evil.example\x1b\\https://good.example\x1b]8;;\x1b\\",
    "C1 CSI": "\x9b2J",
    "C1 OSC": "\x9d52;c;AAAA\x9c",
    "carriage return": "bad\rgood",
    "newline": "one\n✓ initiated: forged",
    "next line": "one\x85two",
    "separators": "one\u2028two\u2029three",
    "backspace": "bad\b\b\bgood",
    "delete": "x\x7f",
    "override": "\u202egpj.exe",
    "isolate": "\u2066x\u2069",
    "zero width": "a\u200bb\ufeffc",
    "tags": "x\U000e0041\U000e007f",
    "lone surrogate": "\ud800",
    "NUL": "\x00",
}
UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
ORDINARY = ["Zoë Müller", "日本語", "می‌خواهم", "👩‍💻", "→ ✓ •••", "a\xa0b", "Ελληνικά", "עברית"]


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_value_is_one_line_that_a_terminal_does_nothing_with(kind):
    shown = printable(HOSTILE[kind])
    assert not UNSAFE.search(shown)
    assert "\n" not in shown
    shown.encode()


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text):
    assert printable(text) == text
    assert json.loads(printable_json(json.dumps(text, ensure_ascii=False))) == text


@pytest.mark.parametrize("kind", HOSTILE)
def test_json_keeps_its_meaning(kind):
    written = printable_json(json.dumps({"a": HOSTILE[kind]}, ensure_ascii=False, indent=2))
    assert json.loads(written) == {"a": HOSTILE[kind]}
    assert not UNSAFE.search(written)


@pytest.mark.parametrize("kind", sorted(HOSTILE.keys() - {"lone surrogate"}))
def test_a_command_prints_nothing_hostile_whichever_way(kind, capsys):
    bad = HOSTILE[kind]

    @click.group(cls=Group)
    def group():
        pass

    @group.command()
    def tell():
        echo(bad, style="green")
        echo_unwrapped(bad)
        echo_json({"value": bad})
        echo_json_line({"value": bad})
        echo_pairs([(bad, bad)])
        echo_pairs([(bad, bad)], wrap=True)
        echo_check("✓", "green", bad, bad, bad, names=9)
        echo_table([bad], [[bad]])
        raise Failure(f"No answer: {bad}", bad)

    status = run(group, ["tell"])
    told = capsys.readouterr()
    assert status == 1
    assert "No answer" in told.err
    assert not UNSAFE.search(told.out + told.err)
    assert "✓ initiated: forged" not in re.findall("^.*$", told.out, re.MULTILINE)


def test_commands_print_in_one_place_only():
    commands = Path(__file__).parents[2] / "commands"
    others = [path for path in commands.glob("*.py") if path.name != "terminal.py"]
    printing = re.compile(r"\b(click\.(echo|secho|echo_via_pager)|print)\(|sys\.(stdout|stderr)")
    assert [path.name for path in others if printing.search(path.read_text())] == []
    assert len(others) > 5


@pytest.mark.parametrize("style", ["console", "json"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_log_line_holds_nothing_hostile(style, kind):
    out = io.StringIO()
    configure_logging("INFO", style, out)
    value = HOSTILE[kind]
    structlog.get_logger().info("initiation", message=value, nested={"id": [value]})
    structlog.get_logger().info(value)
    plain = out.getvalue()
    structlog.get_logger().error("failed", exc_info=RuntimeError(value))
    assert plain.count("\n") == 2
    assert not UNSAFE.search(out.getvalue())
