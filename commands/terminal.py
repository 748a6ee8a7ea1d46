"""The only module that prints for commands: colours, columns, wrapped text, control characters escaped.

Colour is for terminals only, and NO_COLOR turns it off. What is said passes `printable` here.
"""

import csv
import io
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

import orjson
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from integrations.observability.printable import printable, printable_json

# Columns beyond which lines of prose are hard to read, however wide the terminal is.
MAX_COLUMNS = 100
# Where a spreadsheet's formula begins, in East Asian widths too; where lists are separated by semicolons, a spreadsheet
# splits cells at them.
_FORMULA = re.compile("(^|;)(?=[=+@\uff1d\uff0b\uff0d\uff20-])")
OUT = Console(highlight=False)
ERR = Console(highlight=False, stderr=True)


def text(content: str, style: str = "") -> Text:
    """The content on one line, control characters escaped."""
    return Text(printable(content), style)


def echo(*lines: str, style: str = "", indent: int = 0) -> None:
    """Print these lines, wrapped at words."""
    for line in lines:
        _print_wrapped(OUT, Text(" " * indent), text(line, style))


def echo_unwrapped(*lines: str | Text, style: str = "") -> None:
    """Print these lines without wrapping them, to be copied or read by a program."""
    for line in lines:
        OUT.print(line if isinstance(line, Text) else text(line, style), soft_wrap=True)


def echo_json(document: object) -> None:
    """Print a document as indented JSON."""
    OUT.out(printable_json(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()), highlight=False)


def echo_json_line(document: object) -> None:
    """Print a document as JSON on one line."""
    OUT.out(printable_json(orjson.dumps(document).decode()), highlight=False)


def echo_csv_row(cells: Iterable[object]) -> None:
    """Print cells as a line of CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(map(csv_cell, cells))
    OUT.out(line.getvalue(), highlight=False)


def csv_cell(value: object) -> str:
    """A value as a cell's text, on one line; an apostrophe stands before what a spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return printable(_FORMULA.sub(r"\1'", value))


def echo_pairs(pairs: Iterable[tuple[str, str]], *, wrap: bool = False) -> None:
    """Print names with their values, aligned. A value stays whole, to be copied, unless it is prose to `wrap`."""
    shown_pairs = [(name, value) for name, value in pairs if value]
    longest = max((len(name) for name, _ in shown_pairs), default=0)
    for name, value in shown_pairs:
        label = Text(f"  {printable(name):<{longest}}  ", "dim")
        if wrap:
            _print_wrapped(OUT, label, text(value))
        else:
            OUT.print(label + text(value), soft_wrap=True)


def echo_check(mark: str, style: str, name: str, found: str, hint: str, *, names: int) -> None:
    """Print a check: its mark, its name padded to `names` characters, what was found, and below it a hint."""
    prefix = Text.assemble((mark, style), f" {printable(name):<{names}} ")
    if len(name) > names:
        _print_wrapped(OUT, Text.assemble((mark, style), " "), text(name))
        prefix = Text(" " * (names + 3))
    _print_wrapped(OUT, prefix, text(found or "-"))
    if hint:
        _print_wrapped(OUT, Text.assemble(" " * (names + 3), ("→ ", "bold")), text(hint))


def echo_table(heads: Sequence[str], rows: Iterable[Sequence[Text | str]]) -> None:
    """Print rows under their heads, aligned, each on one line; the last column is cut where the terminal is narrow."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=Style(dim=True))
    cells = [[cell if isinstance(cell, Text) else text(cell) for cell in row] for row in rows]
    titles = [text(head) for head in heads]
    widths = [max([head.cell_len, *(row[place].cell_len for row in cells)]) for place, head in enumerate(titles)]
    widths[-1] = min(widths[-1], max(1, OUT.width - sum(widths[:-1]) - 2 * len(widths)))
    for head, width in zip(titles, widths, strict=True):
        table.add_column(head, no_wrap=True, overflow="ellipsis", width=width)
    for row in cells:
        table.add_row(*row)
    OUT.print(table)


def echo_error(cause: str, *details: str, hint: str = "") -> None:
    """Print an error on standard error: its cause, a line for each detail, and what to do."""
    _print_wrapped(ERR, Text("✗ ", "bold red"), text(cause))
    for detail in details:
        _print_wrapped(ERR, Text("  "), text(detail))
    if hint:
        _print_wrapped(ERR, Text("→ ", "bold"), text(hint))


def progress(content: str) -> AbstractContextManager[object]:
    """Show a spinner on a terminal until the block ends; lines can be printed meanwhile."""
    return OUT.status(text(content)) if OUT.is_terminal else nullcontext()


def discard_output() -> None:
    """Discard all further output: the reader has closed the pipe."""
    sys.stdout = None


def _print_wrapped(console: Console, prefix: Text, content: Text) -> None:
    """Print wrapped content after a prefix, further lines indented to it."""
    room = max(1, min(console.width, MAX_COLUMNS) - len(prefix))
    for line in content.wrap(console, room):
        line.rstrip()
        console.print(prefix + line, soft_wrap=True)
        prefix = Text(" " * len(prefix))
