"""What is changed: every place of a module, by mutmut's mutators. A mutant is a module with one change."""

import ast
from collections.abc import Iterator
from difflib import unified_diff
from typing import NamedTuple

import libcst as cst
from libcst.metadata import MetadataWrapper
from mutmut.mutation.mutators import mutation_operators

# `len(None)` and `isinstance(x, None)` fail wherever they are reached, so that they say nothing about a test.
_FAIL_ANYWAY = {"len", "isinstance"}
# Codecs are known in capitals too, and by no other name.
_CODECS = {"utf-8", "latin-1", "ascii"}


class Mutant(NamedTuple):
    """A module's whole source with one change, and that change as a diff without context."""

    source: str
    diff: str

    @property
    def change(self) -> str:
        """The changed lines as they are in the mutant, in one."""
        return " ".join(line[1:].strip() for line in self.diff.splitlines() if line[0] == "+")


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of this module that compiles and differs from it in more than its form."""
    module = MetadataWrapper(cst.parse_module(source)).module
    pieces = [module.code_for_node(node) for node in (*module.header, *module.body, *module.footer)]
    for place, statement in enumerate(module.body, len(module.header)):
        for old, new in _changes(statement):
            changed = module.code_for_node(statement.deep_replace(old, new))
            if _tree(changed) not in (None, _tree(pieces[place])):
                lines = unified_diff(pieces[place].splitlines(), changed.splitlines(), n=0, lineterm="")
                whole = "".join((*pieces[:place], changed, *pieces[place + 1 :]))
                yield Mutant(whole, "\n".join(line for line in list(lines)[2:] if line[0] != "@"))


def _tree(source: str) -> str | None:
    """The program without its form; None if it does not compile."""
    try:
        compile(source, "a mutant", "exec")
    except SyntaxError:
        return None
    return ast.dump(ast.parse(source))


def _changes(node: cst.CSTNode) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
    """What can be changed from here on: the node, and the node in its place."""
    if _is_excluded(node):
        return
    for kind, mutator in mutation_operators:
        if isinstance(node, kind):
            yield from ((node, new) for new in mutator(node))
    for child in node.children:
        yield from _changes(child)


def _is_excluded(node: cst.CSTNode) -> bool:
    """What no test is asked to notice.

    Annotations, protocols, type aliases (`Facts = Mapping[str, object]`) and `__all__` are mypy's business, decorators
    and imports the interpreter's. mutmut itself excludes docstrings.
    """
    if isinstance(node, cst.Call):
        return isinstance(node.func, cst.Name) and node.func.value in _FAIL_ANYWAY
    if isinstance(node, cst.SimpleString):
        return node.raw_value.lower() in _CODECS
    if isinstance(node, cst.ClassDef):
        return any(isinstance(base.value, cst.Name) and base.value.value == "Protocol" for base in node.bases)
    if isinstance(node, cst.Assign) and isinstance(target := node.targets[0].target, cst.Name):
        return target.value == "__all__" or (target.value[0].isupper() and not target.value.isupper())
    return isinstance(node, cst.Annotation | cst.Decorator | cst.Import | cst.ImportFrom)
