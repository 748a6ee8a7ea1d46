"""The schema of an object that comes in, loaded without marshmallow's steps around its fields."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, missing


class InputSchema(Schema):
    """One object. Its fields are marshmallow's; its hooks are the two methods below, called once an object.

    marshmallow's own `load` makes closures, stores and sets for each field, which cost more than the fields do.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._keyed = tuple((name, field.data_key or name, field) for name, field in self.load_fields.items())
        self.names = tuple(key for _, key, _ in self._keyed)
        self._constants = dict(_constants(self._keyed))

    def prepare(self, data: Any) -> Any:
        """What the fields are read from. ValidationError if it can't be that."""
        return data

    def check(self, loaded: Mapping[str, Any]) -> None:
        """Raise ValidationError if the fields, each of which is good, don't fit together."""

    def load(self, data: Any, **_: Any) -> dict[str, Any]:
        """The object's fields. ValidationError names each wrong one."""
        given = self.prepare(data)
        if not isinstance(given, dict):
            raise ValidationError(self.error_messages["type"])
        loaded = self._constants.copy()
        errors: dict[str, Any] = {}
        for name, key, field in self._keyed:
            if key not in given and name in loaded:
                continue
            try:
                value = field.deserialize(given.get(key, missing), key, given)
            except ValidationError as error:
                errors[key] = error.messages
            else:
                if value is not missing:
                    loaded[name] = value
        if self.unknown == RAISE:
            errors |= {key: [self.error_messages["unknown"]] for key in given if key not in self.names}
        if errors:
            raise ValidationError(errors)
        try:
            self.check(loaded)
        except ValidationError as error:
            raise ValidationError({str(error.field_name): error.messages}) from None
        return loaded


def _constants(keyed: Iterable[tuple[str, str, fields.Field[Any]]]) -> Iterator[tuple[str, Any]]:
    """By name what a field is wherever no value came for it, if it may come without one and can't be changed later."""
    for name, key, field in keyed:
        if field.required or callable(field.load_default):
            continue
        value = field.deserialize(missing, key, {})
        if value is None or isinstance(value, str | int | float):
            yield name, value
