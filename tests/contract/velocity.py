"""As much of Genesys's Velocity as the data action's templates use, with its pitfall: an unset name stays as it is."""

import json
import re

_REFERENCE = re.compile(r"\$(!?)\{([A-Za-z][\w.]*)\}")
_ENCODED = re.compile(r'\$(!?)esc\.jsonEncode\((?:"([^"]*)"|(\$!?\{[A-Za-z][\w.]*\}))\)')
_LEFT = re.compile(r"\$[!{a-zA-Z]|#[{a-z]")


def as_it_is(text):
    """What JSON demands to be escaped, and no more."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def as_apache_does(text):
    """As Apache Commons' escapeJson, below Velocity's tools: ASCII only, and slashes too."""
    return json.dumps(text)[1:-1].replace("/", "\\/")


def render(template, context, encode=as_it_is):
    """The template with the context's values, a dotted name each. A construct that isn't known here is an error."""
    pieces, at = [], 0
    for found in _ENCODED.finditer(template):
        pieces += [_references(template[at : found.start()], context), _call(found, context, encode)]
        at = found.end()
    return "".join([*pieces, _references(template[at:], context)])


def _call(found, context, encode):
    quiet, text, reference = found.groups()
    if text is not None:  # a quoted argument is a template of its own, and always a string
        return encode(_references(text, context))
    name = _REFERENCE.fullmatch(reference)[2]
    if context.get(name) is None:  # a call that gives null is written out as it stands, unless it is quiet
        return "" if quiet else found[0]
    if not isinstance(context[name], str):
        raise TypeError(f"{name} is no string, and the method may take strings only")
    return encode(context[name])


def _references(text, context):
    rest = _REFERENCE.sub("", text)
    if _LEFT.search(rest):
        raise ValueError(f"not known to this renderer: {rest!r}")
    return _REFERENCE.sub(lambda found: _written(found, context), text)


def _written(found, context):
    value = context.get(found[2])
    if value is None:
        return "" if found[1] else found[0]
    return str(value).lower() if isinstance(value, bool) else str(value)
