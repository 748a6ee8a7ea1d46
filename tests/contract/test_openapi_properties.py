"""Every property of every request and answer has a type and a description, and null where null is taken."""

import pytest
from jsonschema import Draft202012Validator
from marshmallow import ValidationError, class_registry

from schemas.input_schema import InputSchema
from tests.contract.described import DOCUMENT, OPERATIONS
from web.reference_pages import kind

COMPONENTS = DOCUMENT["components"]["schemas"]
SCHEMAS = {name: class_registry.get_class(f"{name}Schema")() for name in COMPONENTS}
REQUESTS = {name: schema for name, schema in SCHEMAS.items() if isinstance(schema, InputSchema)}
ANSWERS = {name: schema for name, schema in SCHEMAS.items() if name not in REQUESTS}
CONVERSATION = {"conversationId": "11111111-1111-4111-8111-111111111111"}
# Bodies with as little in them as is taken, where that is not the empty one.
LEAST = {
    "StartRequest": [CONVERSATION, {"latest": True}],
    "StatusRequest": [CONVERSATION, {"initiationId": "1"}, {"idempotencyKey": "1"}],
    "EndRequest": [CONVERSATION, {"initiationId": "1"}],
    "Detail": [{"eventBody": {}}],
    "EventBridge": [{"detail": {"eventBody": {}}}],
    "ZendeskEvent": [{"type": "x"}],
}
PROPERTIES = {
    (name, key): shape for name, made in COMPONENTS.items() for key, shape in made.get("properties", {}).items()
}


def keys(schema):
    """The schema's fields by what they are called in JSON."""
    return {field.data_key or name: field for name, field in schema.fields.items()}


def is_taken(schema, body):
    try:
        schema.load(body)
    except ValidationError:
        return False
    return True


def referred(shape):
    """The component that a property is of, itself or null."""
    [first, *_] = shape.get("anyOf", [shape])
    return COMPONENTS[first["$ref"].rpartition("/")[2]] if "$ref" in first else shape


def takes_null(shape):
    return "null" in shape.get("type", ()) or {"type": "null"} in shape.get("anyOf", ())


def test_every_field_of_a_schema_is_a_property_and_no_other():
    assert {name: set(COMPONENTS[name].get("properties", ())) for name in SCHEMAS} == {
        name: set(keys(schema)) for name, schema in SCHEMAS.items()
    }
    assert len(REQUESTS) > 10 < len(PROPERTIES)
    assert len(ANSWERS) > 5


def test_every_property_and_parameter_has_a_type_and_a_description():
    parameters = {
        (name, "parameter"): each | each["schema"] for name, each in DOCUMENT["components"]["parameters"].items()
    }
    query = {
        ("query", each["name"]): each | each["schema"] for each in OPERATIONS["listInitiations"]["parameters"][:-1]
    }
    bare = [
        place
        for place, shape in (PROPERTIES | parameters | query).items()
        if not (referred(shape).get("type") and referred(shape).get("description"))
    ]
    assert bare == []
    assert [place for place, shape in query.items() if takes_null(shape)] == []


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, schema in REQUESTS.items() for key in keys(schema)])
def test_a_request_with_null_is_taken_where_the_document_says_so(name, key):
    validator = Draft202012Validator(COMPONENTS[name] | {"components": DOCUMENT["components"]})
    taken = []
    for least in LEAST.get(name, [{}]):
        assert validator.is_valid(least)
        assert is_taken(SCHEMAS[name], least)
        body = {**least, key: None}
        taken.append(is_taken(SCHEMAS[name], body))
        assert validator.is_valid(body) is taken[-1], body
    assert any(taken) is takes_null(COMPONENTS[name]["properties"][key])


def test_no_key_of_an_answer_is_ever_null():
    assert {
        takes_null(COMPONENTS[name]["properties"][key]) for name, schema in ANSWERS.items() for key in keys(schema)
    } == {False}
    assert {field.allow_none for schema in ANSWERS.values() for field in schema.fields.values()} == {False}


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["string", "null"], "format": "uuid"}, "uuid or null"),
        ({"type": ["string", "null"], "maxLength": 9}, "string or null, at most 9 characters"),
        ({"type": ["string", "null"], "format": "json-object"}, "string or null"),
        ({"type": ["array", "null"], "items": {"$ref": "#/components/schemas/Medium"}}, "list of Medium or null"),
        ({"type": ["string", "number", "null"]}, "anything"),
        ({"anyOf": [{"$ref": "#/components/schemas/Medium"}, {"type": "null"}]}, "Medium or null"),
        ({}, "anything"),
    ],
)
def test_the_page_says_a_type_in_a_few_words(shape, words):
    assert kind(shape) == words
