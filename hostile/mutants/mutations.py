"""What is changed: every place of a module, by mutmut's mutators; a mutant is a module with one change."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff

import libcst as cst
from libcst.metadata import MetadataWrapper
from mutmut.mutation.mutators import mutation_operators

# `len(None)` and `isinstance(x, None)` fail wherever they are reached, so that they say nothing about a test.
_FAIL_ANYWAY = {"len", "isinstance"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one change: where it is, the lines that it alters, and the whole source with it."""

    file: str
    function: str
    before: str
    after: str
    source: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names it, whatever line it has moved to."""
        return self.file, self.function, self.before, self.after


def mutants(file: str, source: str) -> Iterator[Mutant]:
    """Every mutant of this module that is a program, and another one than the module."""
    module = MetadataWrapper(cst.parse_module(source)).module
    pieces = [module.code_for_node(node) for node in (*module.header, *module.body, *module.footer)]
    for place, statement in enumerate(module.body, len(module.header)):
        original, meaning = pieces[place], _meaning(pieces[place])
        for function, old, new in _changes(statement):
            changed = module.code_for_node(statement.deep_replace(old, new))
            if _meaning(changed) not in (None, meaning):
                whole = "".join((*pieces[:place], changed, *pieces[place + 1 :]))
                yield Mutant(file, function, *_altered(original, changed), whole)


def _meaning(source: str) -> str | None:
    """The program without its form; None if it is none."""
    try:
        compile(source, "a mutant", "exec")
    except SyntaxError:
        return None
    return ast.dump(ast.parse(source))


def _altered(before: str, after: str) -> tuple[str, str]:
    """The lines that went and the lines that came, each joined into one."""
    lines = list(unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    went, came = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return went, came


def _changes(node: cst.CSTNode, around: tuple[str, ...] = ()) -> Iterator[tuple[str, cst.CSTNode, cst.CSTNode]]:
    """What can be changed from here on: the function, class or constant it is in, the node, the node instead."""
    name = _name(node, inside=bool(around))
    around = (*around, name) if name else around
    if _is_left_alone(node):
        return
    for kind, mutator in mutation_operators:
        if isinstance(node, kind):
            for instead in mutator(node):
                yield ".".join(around), node, instead
    for child in node.children:
        yield from _changes(child, around)


def _name(node: cst.CSTNode, *, inside: bool) -> str:
    if isinstance(node, cst.FunctionDef | cst.ClassDef):
        return str(node.name.value)
    target = _assigned(node)
    return "" if target is None or inside else str(target.value)


def _assigned(node: cst.CSTNode) -> cst.Name | None:
    """The one name that this statement assigns to."""
    target = node.targets[0].target if isinstance(node, cst.Assign) else getattr(node, "target", None)
    return target if isinstance(node, cst.Assign | cst.AnnAssign) and isinstance(target, cst.Name) else None


def _is_left_alone(node: cst.CSTNode) -> bool:
    """The stated rule of what no test is asked to notice.

    Annotations and what they are made of (an alias as `Facts = Mapping[str, object]`, a TypeVar) are mypy's business,
    decorators and imports the interpreter's. Docstrings mutmut leaves alone by itself.
    """
    if isinstance(node, cst.Call):
        return isinstance(node.func, cst.Name) and node.func.value in _FAIL_ANYWAY
    if (target := _assigned(node)) is not None and isinstance(node, cst.Assign):
        return target.value[0].isupper() and not target.value.isupper()
    return isinstance(node, cst.Annotation | cst.Decorator | cst.Import | cst.ImportFrom)
