"""Where in an event a thing stands (JMESPath), and what may stand there: plain functions of the event."""

from collections.abc import Mapping
from dataclasses import dataclass

import jmespath
import orjson
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

from cobrowse.errors import InvalidRequest
from schemas.data_action import SETTINGS_BYTES
from schemas.json_text import read_json
from schemas.texts import SHOWN, conversation_id_in, medium_in, placeholder_in

# What JMESPath's functions raise on data they were not made for, its own errors included (they are ValueErrors).
_MISFITS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Path:
    """A JMESPath of the senders file, ready to use."""

    text: str
    compiled: ParsedResult

    @classmethod
    def of(cls, text: str) -> "Path":
        """The path in this text. ValueError if it is none, or calls a function that doesn't exist."""
        compiled = jmespath.compile(text)
        if unknown := _functions(compiled.parsed) - Functions.FUNCTION_TABLE.keys():
            raise ValueError(f"there is no function {min(unknown)}()")
        return cls(text, compiled)

    def __call__(self, event: object) -> object:
        """What stands there, None if nothing does. InvalidRequest if the path can't be followed in this event."""
        try:
            return self.compiled.search(event)
        except _MISFITS:
            raise InvalidRequest(f"{self.text}: can't be worked out for this event") from None


def conversation_id(value: object, where: str) -> str:
    """The conversation's id. InvalidRequest names the path where there is none, and what stands there instead."""
    text = _text(value, where)
    found = conversation_id_in(text)
    if found:
        return found
    if not text:
        raise InvalidRequest(f"{where}: there is no conversation id")
    if placeholder := placeholder_in(text):
        raise InvalidRequest(f"{where}: the sender's variable {placeholder[:SHOWN]} was not set; {text[:SHOWN]!r} came")
    raise InvalidRequest(f"{where}: {text[:SHOWN]!r} is not a conversation id, which is a UUID")


def session_settings(value: object, where: str) -> Mapping[str, object]:
    """The session's settings: an object, or a text that holds one; none for a variable that was not filled in."""
    if value is None or value == "" or placeholder_in(value):
        return {}
    if isinstance(value, str):
        try:
            value = read_json(value.encode(errors="surrogatepass"))
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


def holds(value: object) -> bool:
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
        raise InvalidRequest(f"{where}: is not a text")
    return str(value).strip()


def _functions(node: object) -> set[str]:
    """The names of the functions that a parsed path calls."""
    if isinstance(node, list):
        return {name for child in node for name in _functions(child)}
    if not isinstance(node, dict):
        return set()
    own = {str(node["value"])} if node.get("type") == "function_expression" else set()
    return own | _functions(node.get("children"))
