"""The console's sign-in page: the password, the cookie for it, the way on, and the way out."""

import re
from base64 import b64encode

import pytest
from structlog.testing import capture_logs

from cobrowse.model import Secret
from console.access import COOKIE
from console.auth import Signer
from tests.integration.consoles import FORM_KEY, OURS, PASSWORD, USERS, bridge, console, failing, token_in

__all__ = ["bridge"]


OTHER_KEY = Secret("another key")


def sealed(value):
    """A text as it is; of a key, a purpose and a value, what they make."""
    if isinstance(value, str):
        return value
    key, *what = value
    return Signer(key).sign(*what)


@pytest.fixture
def client(bridge):
    return console(bridge, password=Secret(PASSWORD)).test_client()


def form_on(page):
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))


def sign_in(client, name="ops", password=PASSWORD, path="/console", headers=OURS, **more):
    form = form_on(client.get(path)) | {"name": name, "password": password} | more
    return client.post("/console/sign-in", data=form, headers=headers)


def test_the_password_opens_the_page_that_was_asked_for(client, bridge, box):
    failed = failing(bridge, box)
    path = f"/console/initiations/{failed.initiation_id}"
    with capture_logs() as lines:
        answer = sign_in(client, "Ann Lee", path=f"{path}?attempt=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{path}?attempt=1")
    assert [line["requested_by"] for line in lines if line["event"] == "console sign-in"] == ["Ann Lee"]
    page = client.get(path)
    assert (page.status_code, "Ann Lee, operator" in page.text) == (200, True)
    token = token_in(page.text)
    assert client.post(f"{path}/retry", data={"token": token}, headers=OURS).status_code == 303


@pytest.mark.parametrize("path", ["/console/initiations/x/retry", "/console/absent"])
def test_what_is_no_page_leads_on_to_the_list(client, path):
    form = form_on(client.get("/console")) | form_on(client.get(path))
    answer = client.post("/console/sign-in", data=form | {"password": PASSWORD}, headers=OURS)
    assert answer.headers["Location"] == "/console"


@pytest.mark.parametrize(
    ("origin", "public_url", "secure"),
    [
        ("http://localhost", "", False),
        ("https://localhost", "", True),
        ("http://localhost", "https://cobrowse.example.com", True),
    ],
)
def test_the_cookie_is_for_the_browser_and_the_console_alone(bridge, origin, public_url, secure):
    client = console(bridge, password=Secret(PASSWORD), public_url=public_url).test_client()
    [cookie] = sign_in(client, headers=OURS | {"Origin": origin}).headers.getlist("Set-Cookie")
    for flag in (f"{COOKIE}=", "HttpOnly", "SameSite=Lax", "Path=/console", "Max-Age=43200"):
        assert flag in cookie
    assert ("Secure" in cookie) is secure
    assert PASSWORD not in cookie


def test_a_viewer_who_signed_in_has_no_button_and_may_not_press_it(bridge, box):
    failed = failing(bridge, box)
    app = console(bridge, users=USERS)
    ann, bob = app.test_client(), app.test_client()
    path = f"/console/initiations/{failed.initiation_id}"
    assert sign_in(bob, "bob", "a-password-of-bob").status_code == 303
    assert sign_in(ann, "ann", "a-password-of-ann").status_code == 303
    page = bob.get(path).text
    assert ("bob, viewer" in page, ">Retry<" in page) == (True, False)
    for action in ("retry", "end"):
        token = {"retry": token_in(ann.get(path).text), "end": Signer(FORM_KEY).token(f"end {failed.initiation_id}")}
        answer = bob.post(f"{path}/{action}", data={"token": token[action]}, headers=OURS)
        assert (answer.status_code, "bob is a viewer" in answer.text) == (403, True)
    assert bridge.initiate.ledger.read(failed.initiation_id).attempts == 1


@pytest.mark.parametrize("password", ["", PASSWORD[:-1], PASSWORD.upper()])
def test_a_wrong_password_is_told_and_gives_no_cookie(client, password):
    answer = sign_in(client, password=password)
    assert (answer.status_code, "belong together" in answer.text) == (401, True)
    assert "Set-Cookie" not in answer.headers


def test_after_a_wrong_password_the_page_still_leads_on(client):
    wrong = sign_in(client, password="wrong", path="/console/refused?q=crm")
    answer = client.post("/console/sign-in", data=form_on(wrong) | {"password": PASSWORD}, headers=OURS)
    assert answer.headers["Location"] == "/console/refused?q=crm"


def test_guesses_in_the_form_are_few_too(client):
    assert [sign_in(client, password="wrong").status_code for _ in range(7)] == [401] * 5 + [429] * 2
    assert sign_in(client).status_code == 429


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ({}, {}),
        ({"Sec-Fetch-Site": "cross-site"}, {}),
        ({"Origin": "https://evil.example"}, {}),
        ({"Origin": "null"}, {}),
        (OURS, {"token": ""}),
        (OURS, {"token": (OTHER_KEY, "form", "sign in")}),
        (OURS, {"token": (FORM_KEY, "form", "sign out")}),
    ],
)
def test_nobody_is_signed_in_by_a_page_of_somebody_elses(client, headers, form):
    answer = sign_in(client, headers=headers, **{name: sealed(value) for name, value in form.items()})
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example",
        "//evil.example",
        "/console\r\nSet-Cookie: a=b",
        (OTHER_KEY, "to", "https://evil.example"),
        (FORM_KEY, "form", "https://evil.example"),
        (Secret(), "to", "https://evil.example"),
    ],
)
def test_a_sign_in_leads_to_no_page_of_anybody_elses(client, to):
    answer = sign_in(client, to=sealed(to))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console")
    assert len(answer.headers.getlist("Set-Cookie")) == 1


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "x",
        (OTHER_KEY, "person", ["eve", "operator"]),
        (FORM_KEY, "form", ["eve", "operator"]),
        (FORM_KEY, "to", ["eve", "operator"]),
        (FORM_KEY, "person", ["eve", "admin"]),
        (FORM_KEY, "person", ["eve", ["operator"]]),
        (FORM_KEY, "person", ["eve"]),
        (FORM_KEY, "person", "eve"),
        (FORM_KEY, "person", None),
    ],
)
def test_a_cookie_that_the_sign_in_did_not_make_opens_nothing(client, cookie):
    client.set_cookie(COOKIE, sealed(cookie), path="/console")
    assert client.get("/console").status_code == 401


@pytest.mark.parametrize("path", ["/console/initiations/a\r\nSet-Cookie: b=c", "/console?q=a%0d%0aSet-Cookie:%20b=c"])
def test_a_path_brings_no_header_into_the_answer(client, path):
    answer = sign_in(client, path=path)
    assert (answer.status_code, answer.headers["Location"].startswith("/console")) == (303, True)
    assert [line.partition("=")[0] for line in answer.headers.getlist("Set-Cookie")] == [COOKIE]
    assert not re.search(r"[\r\n]", answer.headers["Location"])


def test_what_is_sent_to_the_sign_in_stays_text(client):
    hostile = "\"'><script>alert(1)</script>"
    for path in ("/console", f"/console?q={hostile}"):
        answer = sign_in(client, hostile, "wrong", path=path, to=hostile)
        assert "<script>alert" not in answer.text
    sign_in(client, hostile)
    page = client.get("/console").text
    assert ("<script>alert" in page, "&lt;script&gt;alert(1)" in page) == (False, True)


def test_a_cookie_that_was_planted_before_is_not_the_one_after(client):
    planted = Signer(FORM_KEY).sign("pending sign-in", ["a", "b", "c", ""])
    client.set_cookie(COOKIE, planted, path="/console")
    [cookie] = sign_in(client).headers.getlist("Set-Cookie")
    assert planted not in cookie


def test_signing_out_takes_the_cookie_back(client):
    sign_in(client)
    form = form_on(client.get("/console"))
    assert client.post("/console/sign-out", data=form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get("/console").status_code == 200
    answer = client.post("/console/sign-out", data=form, headers=OURS)
    assert (answer.status_code, "Signed out." in answer.text) == (200, True)
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert client.get("/console").status_code == 401


def test_another_password_signs_everybody_out(service):
    before = service(console_password=Secret(PASSWORD)).client
    assert sign_in(before).status_code == 303
    cookie = before.get_cookie(COOKIE, path="/console").value
    after = service(console_password=Secret("another-password-0123")).client
    after.set_cookie(COOKIE, cookie, path="/console")
    assert after.get("/console").status_code == 401


def test_scripts_may_send_name_and_password_with_each_request(client):
    words = b64encode(f"ops:{PASSWORD}".encode()).decode()
    answer = client.get("/console", headers={"Authorization": f"Basic {words}"})
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
