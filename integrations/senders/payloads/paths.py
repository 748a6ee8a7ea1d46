"""Where in an event a thing stands (JMESPath), and what may stand there: plain functions of the event."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jmespath
import orjson
from jmespath.functions import Functions, signature
from jmespath.parser import ParsedResult
from jmespath.visitor import Options, TreeInterpreter

from cobrowse.errors import InvalidRequest
from schemas.data_action import SETTINGS_BYTES
from schemas.duplicates import check_duplicate_names
from schemas.json_text import parse_json
from schemas.texts import SHOWN_LENGTH, conversation_id_in, medium_in, placeholder_in

# What JMESPath's functions raise on data they were not made for, its own errors included (they are ValueErrors).
_MISFITS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
# Steps that following one path in one event may take: a fifth of a second or so. A path to one field takes ten.
STEPS = 100_000
# `header:NAME` outside of quoted texts; `{header: x}` is JMESPath's own way to name a field of a new object.
_HEADERS = re.compile(r"""('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`)|(?<![\w.{,])header:([\w-]+)""")
_UUID = re.compile(
    r"(?<![\w-])(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})(?![\w-])", re.ASCII
)


class _Functions(Functions):
    """JMESPath's functions, and three of our own: a header of the delivery, and the JSON or the UUID in a text."""

    def __init__(self, headers: Mapping[str, str], names: Collection[str]) -> None:
        super().__init__()
        self._headers, self._names = headers, names

    @signature({"types": ["string"]})
    def _func_header(self, name: str) -> str | None:
        return self._headers.get(name.lower())

    @signature({"types": []})
    def _func_uuid_in(self, argument: object) -> str | None:
        """The one UUID in a text that people write; null if there is none, or more than one."""
        matches = _UUID.findall(argument) if isinstance(argument, str) else []
        found = {one.replace("-", "").lower(): str(one) for one in matches}
        return next(iter(found.values())) if len(found) == 1 else None

    @signature({"types": []})
    def _func_from_json(self, argument: object) -> object:
        """What a JSON text holds; null if it is none. A value that is no text is returned as it is."""
        if not isinstance(argument, str):
            return argument
        text = argument.encode(errors="surrogatepass")
        try:
            value = parse_json(text)
            orjson.dumps(value)  # what is nested too deeply to be written again is of no use
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            return None
        check_duplicate_names(text, self._names)
        return value


class _BoundedInterpreter(TreeInterpreter):
    """JMESPath's own, which gives up after STEPS: a path with projections costs what the sender chooses to send."""

    def __init__(self, functions: _Functions) -> None:
        super().__init__(Options(custom_functions=functions))
        self._left = STEPS

    def visit(self, node: Any, *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - jmespath's own signature
        """What a part of the path yields. ValueError once the steps are used up."""
        self._left -= 1
        if self._left < 0:
            raise ValueError("too many steps")
        return super().visit(node, *args, **kwargs)


@dataclass(frozen=True, slots=True)
class Path:
    """A JMESPath of the senders file, ready to use."""

    text: str
    compiled: ParsedResult
    # Those of the event's names that it looks at, and of the delivery's headers.
    names: frozenset[str]
    headers: frozenset[str]
    reads_headers: bool

    @classmethod
    def of(cls, text: str) -> "Path":
        """The path in this text. ValueError if it is none, or calls a function that doesn't exist."""
        compiled = jmespath.compile(_HEADERS.sub(lambda found: found[1] or f"header('{found[2]}')", text))
        functions = _values(compiled.parsed, "function_expression")
        if unknown := functions - _Functions.FUNCTION_TABLE.keys():
            raise ValueError(f"there is no function {min(unknown)}()")
        names, headers = _values(compiled.parsed, "field"), _headers(compiled.parsed)
        return cls(text, compiled, frozenset(names), frozenset(headers), "header" in functions)

    def __call__(self, event: object, headers: Mapping[str, str] = MappingProxyType({})) -> object:
        """What stands there, None if nothing does. InvalidRequest if the path can't be followed in this event."""
        try:
            return _BoundedInterpreter(_Functions(headers, self.names)).visit(self.compiled.parsed, event)
        except _MISFITS:
            raise InvalidRequest(f"{self.text}: can't be worked out for this event") from None


def conversation_id(value: object, where: str) -> str:
    """The conversation's id. InvalidRequest names the path where there is none, and what stands there instead."""
    text = _text(value, where)
    found = conversation_id_in(text)
    if found:
        return found
    if not text and "uuid_in(" in where:
        # A person wrote the text, and in a chat the same person reads this.
        raise InvalidRequest("the text must have one conversation id, which is a UUID, and no other UUID")
    if not text:
        raise InvalidRequest(f"{where}: there is no conversation id")
    if placeholder := placeholder_in(text):
        raise InvalidRequest(
            f"{where}: the sender's variable {placeholder[:SHOWN_LENGTH]} was not set; {text[:SHOWN_LENGTH]!r} came"
        )
    raise InvalidRequest(f"{where}: {text[:SHOWN_LENGTH]!r} is not a conversation id, which is a UUID")


def session_settings(value: object, where: str) -> Mapping[str, object]:
    """The session's settings: an object, or a text that holds one; none for a variable that was not filled in."""
    if value is None or value == "" or placeholder_in(value):
        return {}
    if isinstance(value, str):
        try:
            value = parse_json(value.encode(errors="surrogatepass"))
        except orjson.JSONDecodeError:
            raise InvalidRequest(f"{where}: is not a JSON object") from None
    if not isinstance(value, dict):
        raise InvalidRequest(f"{where}: is not a JSON object")
    try:
        size = len(orjson.dumps(value))
    except orjson.JSONEncodeError:  # it reads deeper nesting than it writes, and these are sent on
        raise InvalidRequest(f"{where}: is nested too deeply") from None
    if size > SETTINGS_BYTES:
        raise InvalidRequest(f"{where}: more than {SETTINGS_BYTES} bytes")
    return value


def medium(value: object, where: str) -> str:
    """A medium's name as CHANNELS has it, "" if none is named."""
    text = _text(value, where)
    return "" if placeholder_in(text) else medium_in(text)


def is_truthy(value: object) -> bool:
    """Whether a `when` holds: as JMESPath has it, nothing and everything empty is false."""
    return not (value is None or value is False or (isinstance(value, (str, list, dict)) and not value))


def plain(value: object) -> str:
    """A text or whole number as text; "" for anything else and for a variable that was not filled in."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    text = str(value).strip()
    return "" if placeholder_in(text) else text


def _text(value: object, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InvalidRequest(f"{where}: is not a text; a value of type {type(value).__name__} came")
    return str(value).strip()


def _values(node: object, kind: str) -> set[str]:
    """The values of a parsed path's nodes of this kind: fields' names, or functions'."""
    if isinstance(node, list):
        return {name for child in node for name in _values(child, kind)}
    if not isinstance(node, dict):
        return set()
    own = {str(node["value"])} if node.get("type") == kind else set()
    return own | _values(node.get("children"), kind)


def _headers(node: object) -> set[str]:
    """The headers that a parsed path names."""
    if isinstance(node, list):
        return {name for child in node for name in _headers(child)}
    if not isinstance(node, dict):
        return set()
    arguments = node.get("children", ())
    if node.get("type") == "function_expression" and node["value"] == "header":
        return {str(argument["value"]) for argument in arguments if argument.get("type") == "literal"}
    return _headers(arguments)
