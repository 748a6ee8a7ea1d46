"""Rows that can never work are refused at the start; a path that no documented payload has is a warning.

Reported were a placeholder that was signed as text and a header's name with an underscore. Tried beside them:
placeholders in other letters, with blanks, and as Velocity, Python, shells and HTML write them; braces that don't
close, and in a prefix; the underscore in each key that names a header; literals that are no id or no channel; and
values of a wrong type.
"""

import pytest

from integrations.senders.registry import SendersFileError, load_senders
from tests.payloads import senders

HMAC = '[senders.one]\nsignature = "hmac"\nsecrets = ["$S"]\nenvelope = "custom"\nheader = "X-Sig"\n'
KEYED = '[senders.one]\nsignature = "api-key"\nsecrets = ["$S"]\n'


def load(text, **given):
    return load_senders(text, {"S": "0123456789abcdef"}, **given)


def fault(text, **given):
    with pytest.raises(SendersFileError) as error:
        load(text, **given)
    (only,) = error.value.errors
    return only.partition("] ")[2]


@pytest.mark.parametrize(
    "template",
    [
        "{header:svix id}.{body}",
        "{header:svix_id}.{body}",
        "{header:}{body}",
        "{Header:svix-id}.{body}",
        "{svix-id}.{body}",
        "{webhook-id}.{body}",
        "{Body}{body}",
        "{ body }{body}",
        "{{body}}",
        "{{timestamp}}.{body}",
        "{body",
        "body}{body}",
        "${timestamp}.{body}",
        "$timestamp.{body}",
        "<timestamp>.{body}",
        "%timestamp%.{body}",
        "%(timestamp)s.{body}",
        "{}{body}",
        "{0}{body}",
        "{body!r}{body}",
    ],
)
def test_a_placeholder_of_any_other_spelling_is_refused(template):
    assert fault(f"{HMAC}template = '{template}'").startswith("template: has a")


@pytest.mark.parametrize("template", ["v0:{body}", "{method}\n{path}\n{body}", "body={body}&", "{body}#1"])
def test_plain_text_around_the_parts_is_signed_as_it_stands(template):
    assert load(f"{HMAC}template = '''{template}'''").get("one").auth_config.template == template


@pytest.mark.parametrize("prefix", ["{v1}=", "sha256={", "}", "{timestamp}", "sha256=$", "sha256=<signature>"])
def test_a_prefix_has_nothing_that_stands_around_a_variable(prefix):
    mark = next(letter for letter in prefix if letter in "{}<>$%")
    assert fault(f"{HMAC}prefix = '{prefix}'").startswith(f"prefix: has a {mark!r}")


@pytest.mark.parametrize("form", ["t=${timestamp},v1=${signature}", "v1=<{signature}", "v1=%{signature}"])
def test_neither_has_a_signatures_form(form):
    assert fault(f"{HMAC}signature_format = '{form}'").startswith("signature_format: must be items such as")


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (KEYED + "envelope = 'custom'\nheader = 'api_key'", "header"),
        (HMAC.replace("X-Sig", "x_sig"), "header"),
        (HMAC + "timestamp_header = 'x_time'\ntemplate = '{timestamp}{body}'", "timestamp_header"),
    ],
)
def test_a_header_with_an_underscore_never_arrives(row, key):
    assert fault(row).startswith(f"{key}: has an underscore")


@pytest.mark.parametrize(
    ("key", "path", "name"),
    [
        ("conversation_id", "header:x_conversation", "x_conversation"),
        ("filter", "type == 'a' && header:X_Event == 'b'", "X_Event"),
        ("requested_by", "join(' ', [header('x_first'), header:X-Last])", "x_first"),
        ("delivery_id", "id || header:x_id", "x_id"),
        ("delivery_id", "header:x_delivery", "x_delivery"),
        ("channel", "header('no name')", "no name"),
    ],
)
def test_neither_does_one_that_a_path_reads(key, path, name):
    told = fault(f'{HMAC}{key} = "{path}"')
    assert told.startswith(f"{key}: reads the header '{name}', which ")
    assert load(f'{HMAC}{key} = "{path.replace(name, "X-Fine")}"').names == ("one",)


def test_one_header_is_not_both_signature_and_timestamp():
    assert fault(f"{HMAC}timestamp_header = 'x-sig'").startswith("timestamp_header: is the signature's own header")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("conversation_id = \"'not-an-id'\"", "conversation_id: can never be one"),
        ('conversation_id = "`7`"', "conversation_id: can never be one"),
        ("conversation_id = \"'${input.id}'\"", "conversation_id: can never be one"),
        ("channel = \"'email'\"", "channel: 'email' can't carry cobrowse"),
        ("channel = \"'fax'\"", "channel: 'fax' can't carry cobrowse"),
    ],
)
def test_a_literal_that_can_never_be_right_is_refused(more, told):
    assert fault(f"{KEYED}envelope = 'custom'\n{more}").startswith(told)


def test_a_literal_channel_in_genesyss_words_is_taken():
    assert load(f"{KEYED}envelope = 'custom'\nchannel = \"'WEBMESSAGING'\"")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("batch = 'yes'", "batch: must be true or false; 'yes' came"),
        ("always_200 = 1", "always_200: must be true or false; 1 came"),
        ("deadline_seconds = true", "deadline_seconds: must be a number of seconds from 0.5 to 55; true came"),
        ("filter = 7", "filter: must be a text that is not empty; 7 came"),
        ("channel = ''", "channel: must be a text that is not empty; '' came"),
        ("allow_from = '10.0.0.0/8'", "allow_from: must be a list of texts with at least one; '10.0.0.0/8' came"),
        (
            "allow_from = ['13.108.0.1/14']",
            "allow_from: '13.108.0.1/14' is no address or network: write 13.108.0.0/14",
        ),
        ("header = 'X Key'", "header: must be the name of a header; 'X Key' came"),
    ],
)
def test_what_came_is_shown_beside_what_must_be(more, told):
    assert fault(f"{KEYED}envelope = 'custom'\n{more}") == told


def test_what_may_be_a_secret_is_never_shown():
    text = "[senders.one]\nsignature = 'api-key'\nenvelope = 'custom'\nsecrets = 'the-secret-itself-012'"
    with pytest.raises(SendersFileError) as error:
        load(text)
    assert error.value.errors
    assert "the-secret-itself" not in str(error.value)


@pytest.mark.parametrize("value", ["0", "1023", "10485761", "true", "'1MB'", "2048.5"])
def test_max_body_bytes_is_a_number_of_bytes(value):
    assert fault(f"{KEYED}envelope = 'custom'\nmax_body_bytes = {value}").startswith("max_body_bytes: must be")


def test_a_row_is_bounded_by_the_service_and_a_default_gives_way():
    row = f"{KEYED}envelope = 'custom'\n"
    assert fault(row + "max_body_bytes = 70000", max_body_bytes=65_536).startswith("max_body_bytes: 70000 is above")
    assert load(row, max_body_bytes=65_536).get("one").max_body_bytes == 65_536
    assert load(row).get("one").max_body_bytes == 262_144


@pytest.mark.parametrize(
    ("envelope", "path", "absent"),
    [
        ("hubspot", "propertyname == 'x'", ["propertyname"]),
        ("hubspot", "starts_with(property_name, 'x') && propertyValue", ["property_name"]),
        ("hubspot", "propertyName == 'x' || !objectid", ["objectid"]),
        ("eventbridge", "detail.eventbody.queueId == 'q'", ["eventbody"]),
        ("eventbridge", "eventBody.queueId == 'q'", ["eventBody"]),
        ("eventbridge", "detail.eventBody.queueId == 'q'", []),
        ("eventbridge", "detail.eventBody.conversationExternalContactIds[?@ == 'x']", []),
        ("zendesk-event", "details.status == 'open'", ["details"]),
        ("dataverse", "Attributes.state == `1`", ["Attributes"]),
        ("dataverse", "attributes.state == `1`", []),
        ("salesforce-outbound-message", "sobject.Status", ["sobject"]),
        ("genesys-notification", "topicName && eventBody.participants[?purpose == 'agent']", []),
        ("open-messaging", "text == 'cobrowse'", []),
        ("custom", "anything.at_all", []),
    ],
)
def test_a_filter_on_a_field_that_no_payload_has_is_a_warning(envelope, path, absent):
    sender = load(f'{KEYED}envelope = "{envelope}"\nconversation_id = "id"\nfilter = "{path}"').get("one")
    told = [warning for warning in sender.warnings if warning.startswith("filter: ")]
    assert [field for field in absent if any(repr(field) in warning for warning in told)] == absent
    assert len(told) == len(absent)


def test_no_recipe_is_warned_of():
    weak = {sender.name for sender in senders() if sender.warnings}
    assert weak == {"hubspot-workflow", "front-rules", "intercom", "help-scout", "twilio-flex"}
    assert all("is weak" in line for sender in senders() for line in sender.warnings)
