"""Objects that come in: what an InputSchema makes of them is what marshmallow's own `load` would."""

from collections.abc import Mapping

import pytest
from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate

from schemas.input_schema import InputSchema


def _fields(options):
    class Meta:
        unknown = options

    return {
        "Meta": Meta,
        "id": fields.String(required=True),
        "count": fields.Integer(data_key="howMany", load_default=1, validate=validate.Range(0, 9)),
        "note": fields.String(allow_none=True),
        "tags": fields.List(fields.String()),
    }


OURS = {mode: type("Ours", (InputSchema,), _fields(mode))() for mode in (RAISE, EXCLUDE)}
THEIRS = {mode: type("Theirs", (Schema,), _fields(mode))() for mode in (RAISE, EXCLUDE)}


@pytest.mark.parametrize("mode", [RAISE, EXCLUDE])
@pytest.mark.parametrize(
    "data",
    [
        {"id": "a"},
        {"id": "a", "howMany": "7", "note": None, "tags": ["x"]},
        {"id": "a", "count": 2},
        {"howMany": 12, "tags": ["x", 1], "note": 5, "more": 1},
        {"id": None, "howMany": None},
        {},
    ],
)
def test_it_loads_and_refuses_what_marshmallow_does_by_the_same_words(mode, data):
    found = []
    for schema in (OURS[mode], THEIRS[mode]):
        try:
            found.append(schema.load(data))
        except ValidationError as error:
            found.append(error.messages)
    assert found[0] == found[1]


@pytest.mark.parametrize("data", [None, [], "text", 7])
def test_what_is_no_object_is_refused(data):
    with pytest.raises(ValidationError, match="Invalid input type"):
        OURS[EXCLUDE].load(data)


def test_its_names_are_those_of_a_document():
    assert OURS[RAISE].names == ("id", "howMany", "note", "tags")


class Pair(InputSchema):
    """Two texts, the first of which may come under another name."""

    first = fields.String(required=True)
    second = fields.String(load_default="")

    def prepare(self, data):
        return {"first" if key == "1st" else key: value for key, value in data.items()}

    def check(self, loaded: Mapping[str, str]):
        if loaded["first"] == loaded["second"]:
            raise ValidationError("Is the first again.", "second")


class Outer(InputSchema):
    """A pair within another object."""

    pair = fields.Nested(Pair, required=True)


def test_an_object_is_prepared_before_its_fields_and_checked_after_them():
    assert Pair().load({"1st": "a"}) == {"first": "a", "second": ""}
    for data, wrong in (
        ({"1st": "a", "second": "a"}, {"second": ["Is the first again."]}),
        ({"second": 1}, {"first": ["Missing data for required field."], "second": ["Not a valid string."]}),
    ):
        with pytest.raises(ValidationError) as refused:
            Pair().load(data)
        assert refused.value.messages == wrong
        with pytest.raises(ValidationError) as refused:
            Outer().load({"pair": data})
        assert refused.value.messages == {"pair": wrong}


class Defaults(InputSchema):
    """Fields that may come without a value."""

    word = fields.String(load_default="none")
    at = fields.String(load_default=lambda: next(NUMBERS))
    parts = fields.Raw(load_default=list)
    absent = fields.String()


NUMBERS = map(str, range(10))


def test_a_default_that_is_made_is_made_for_each_object():
    schema = Defaults()
    first, second = schema.load({}), schema.load({})
    assert (first, second) == (
        {"word": "none", "at": "0", "parts": []},
        {"word": "none", "at": "1", "parts": []},
    )
    first["parts"].append(1)
    assert schema.load({"word": "given"}) == {"word": "given", "at": "2", "parts": []}
