"""Writes what the documentation repeats of the code's tables: the settings (.env.example too), the error kinds, counts.

`python -m tools.reference_tables`
"""

import html
import re
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from cobrowse.errors import error_types_by_code
from cobrowse.model import Secret
from integrations.senders.auth.schemes import SCHEMES
from schemas.environment import Row, rows
from settings import Settings
from web.error_responses import ERROR_RESPONSES

ROOT = Path(__file__).resolve().parents[1]
ENV_EXAMPLE, SETTINGS_PAGE, ERRORS_PAGE = ".env.example", "docs/operations.md", "docs/genesys-setup.md"
README, SENDERS_EXAMPLE = "README.md", "senders.example.toml"
_HEAD = """\
# Every setting of the service. Copy to .env and keep what you need: a line that starts with # is at its default.
# The service and its commands read .env where they are started, or the file that --env-file names; a variable that is
# already set wins over it. NAME_FILE=path in place of NAME=value: the value is what that file holds.
"""
# The rows below a table's head and its line.
_ROWS = r"(\n\| {head} \|\n[|-]+\n)(?:\|.*\n)*"
SETTINGS_HEAD = r"setting \| default \| meaning"
ERRORS_HEAD = r"code \| status \| retry \| what it means \| what to do"
_ANCHOR = re.compile(r"\bdocs/([\w-]+\.md)((?:#[\w-]+)?)")
NOTHING = "\N{EN DASH}"


def as_written(value: object) -> str:
    """A default as it is written in a variable."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return " ".join(value)
    if isinstance(value, Secret):
        return value.reveal()
    return f"{value:g}" if isinstance(value, float) else str(value)


def env_example() -> str:
    """The text of .env.example: what each setting is for, and a line that sets it."""
    lines = [_HEAD]
    for name, row, default in _settings():
        if row.section:
            lines.append(f"{'' if lines == [_HEAD] else chr(10)}## {row.section}")
        lines += (f"# {line}" for line in _wrap(row.text))
        lines.append(f"{'' if row.essential else '# '}{name}={default or row.example}")
    return "\n".join(lines) + "\n"


def docs_table() -> str:
    """The rows of the settings' table in the documentation."""
    return "".join(
        f"| `{name}` | {f'`{default}`' if default else NOTHING} | {_link_pages(row.text)} |\n"
        for name, row, default in _settings()
    )


def errors_table() -> str:
    """The rows of the error kinds' table in the documentation."""
    return "".join(
        f"| `{code}` | {ERROR_RESPONSES[code].status} | {'yes' if kind.retryable else 'no'} | {_first_line(kind)} "
        f"| {html.escape(ERROR_RESPONSES[code].hint, quote=False)} |\n"
        for code, kind in error_types_by_code().items()
    )


def render(root: Path = ROOT) -> dict[str, str]:
    """Each file that repeats a table, with the text that it should have."""
    pages = (SETTINGS_PAGE, ERRORS_PAGE, README, SENDERS_EXAMPLE)
    settings, errors, readme, senders = ((root / page).read_text("utf-8") for page in pages)
    return {
        ENV_EXAMPLE: env_example(),
        SETTINGS_PAGE: _with_rows(settings, SETTINGS_HEAD, docs_table()),
        ERRORS_PAGE: _with_rows(errors, ERRORS_HEAD, errors_table()),
        README: _with_counts(readme, len(tomllib.loads(senders)["senders"])),
    }


def _with_rows(page: str, head: str, lines: str) -> str:
    return re.sub(_ROWS.replace("{head}", head), lambda found: found[1] + lines, page, count=1)


def _with_counts(page: str, senders: int) -> str:
    page = re.sub(r"\d+ schemes, \d+ senders", f"{len(SCHEMES)} schemes, {senders} senders", page)
    return re.sub(rf"(`{re.escape(SENDERS_EXAMPLE)}` has )\d+", rf"\g<1>{senders}", page)


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


def _settings() -> Iterator[tuple[str, Row, str]]:
    setting_rows = rows(Settings)
    for one in fields(Settings):
        yield one.name.upper(), setting_rows[one.name.upper()], as_written(one.default)


def _wrap(text: str) -> list[str]:
    """The lines of a comment; what stands in backticks is not broken, and no line begins as a setting does."""
    whole = re.sub(r"`([^`]*)`", lambda code: code[1].replace(" ", "\0"), text)
    whole = re.sub(r" (?=[A-Z_]+=)", "\0", whole)
    return [line.replace("\0", " ") for line in textwrap.wrap(whole, 116, break_on_hyphens=False)]


def _link_pages(text: str) -> str:
    return _ANCHOR.sub(lambda found: f"[docs/{found[1]}]({found[1].removeprefix('operations.md')}{found[2]})", text)


if __name__ == "__main__":
    for path, text in render().items():
        (ROOT / path).write_text(text, "utf-8")
