"""The documentation's pages, and what stands in them: fenced blocks, tables, tests that are named."""

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_TOP = [ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")]
PAGES = {path.name: path.read_text() for path in (*_TOP, *sorted(ROOT.glob("docs/*.md")))}

SHELLS = ("sh", "bash", "console")
# A block without a language is a shell's when it begins with one of these.
PROGRAMS = ("make", "cobrowse-bridge", "python", "python3", "curl", "docker", "gunicorn", "pip")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
NAMED_TEST = re.compile(r"`((?:unit|contract|integration|simulation|browser)/\w+\.py)::(test_\w+)`")


def blocks(text, *languages):
    """The fenced blocks of these languages."""
    found = []
    for _, language, indented in FENCE.findall(text):
        body = textwrap.dedent(indented)
        if (language or _guessed(body)) in languages:
            found.append(body)
    return found


def _guessed(body):
    first, *_ = [*body.split(maxsplit=1), ""]
    return "sh" if first in PROGRAMS else ""


def table(text, after):
    """The cells of the first table after these words, without its head."""
    rest = text[text.index(after) + len(after) :]
    lines = re.search(r"(?:^ *\|.*\n)+", rest, re.MULTILINE)[0].splitlines()
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines[2:]]
