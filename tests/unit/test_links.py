"""What is no https link is not passed on, and the log says so without the link."""

import pytest
from structlog.testing import capture_logs

from cobrowse.model import Secret
from integrations.genesys.conversation import ConversationSnapshot
from integrations.genesys.links import check_link
from schemas.genesys import ConversationSchema

NOT_HTTPS = [
    "http://cobrowse.example.com/join/1",
    "javascript:alert(1)",
    "data:text/html,x",
    "//cobrowse.example.com/join/1",
    "/join/1",
    "https:",
    "https://",
    "https:///join",
    "https://good.example@evil.example/join",
    "https://evil.example\\@good.example/",
    "https://example.com/a b",
    "https://example.com/\x1b]0;owned\x07",
    "https://example.com/\u202egpj",
    "https://example.com\n/x",
    "https://[::1",
    "https://example.com:99999999/",
    " https://example.com/",
    "ftp://example.com/",
]


@pytest.mark.parametrize("url", NOT_HTTPS)
def test_what_is_not_https_is_left_out_with_a_warning(url):
    with capture_logs() as lines:
        assert check_link(url, "joinUrl", "c-1") == Secret()
    [line] = lines
    assert (line["log_level"], line["field"], line["conversation_id"]) == ("warning", "joinUrl", "c-1")
    assert url not in str(line)


@pytest.mark.parametrize(
    "url", ["", "https://apps.mypurecloud.de/x?a=1#b", "HTTPS://example.com:8443/", "https://[::1]/"]
)
def test_an_https_link_is_passed_on_as_it_is(url):
    with capture_logs() as lines:
        assert check_link(url, "joinUrl", "c-1").reveal() == url
    assert lines == []


def test_a_conversations_viewer_url_is_checked_too():
    medium = {"id": "m", "type": "cobrowse", "cobrowseSessionId": "s", "viewerUrl": "http://v"}
    with capture_logs() as lines:
        [session] = ConversationSnapshot(ConversationSchema().load({"id": "c-1", "media": [medium]})).sessions
    assert session.viewer_url == Secret()
    assert [line["field"] for line in lines] == ["viewerUrl"]
