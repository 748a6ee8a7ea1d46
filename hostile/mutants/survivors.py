"""The list of known survivors, and whether what it names still exists. Standard library only: a quick test reads it."""

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("survivors.toml")


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mutant that lives: what it alters, in which function, class or constant, and why that is harmless."""

    file: str
    function: str
    before: str
    after: str
    reason: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names it, as a mutant's key does."""
        return self.file, self.function, self.before, self.after


def known(text: str) -> tuple[Survivor, ...]:
    """The survivors of a list. One reason may hold for several."""
    return tuple(
        Survivor(group["file"], group["function"], before, after, group["reason"])
        for group in tomllib.loads(text).get("survivor", [])
        for before, after in group["changes"]
    )


def faults(listed: tuple[Survivor, ...], root: Path) -> Iterator[str]:
    """What is wrong with a list: no reason, one twice, a function or a line that is no more."""
    seen = set()
    for one in listed:
        source = (root / one.file).read_text("utf-8") if (root / one.file).is_file() else ""
        block = dict(_blocks(ast.parse(source).body)).get(one.function)
        if not one.reason.strip():
            yield f"{one.file} {one.function}: no reason"
        if one.key in seen:
            yield f"{one.file} {one.function}: twice: {one.before}"
        if block is None:
            yield f"{one.file}: no {one.function} in it"
        elif one.before not in _joined(ast.get_source_segment(source, block)):
            yield f"{one.file} {one.function}: no such line: {one.before}"
        seen.add(one.key)


def _joined(source: str | None) -> str:
    return " ".join(line.strip() for line in (source or "").splitlines())


def _blocks(body: list[ast.stmt], inside: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """Every function, class and constant by its full name; constants of a class belong to the class."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield inside + node.name, node
            yield from _blocks(node.body, f"{inside}{node.name}.")
        elif not inside and isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                yield target.id, node
