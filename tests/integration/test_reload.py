"""SIGHUP: senders are reloaded without a lost request; a broken file keeps those in force, and is told."""

import signal
import threading
import time

import requests

from tests.clocks import wait_until

KEY, OTHER = "reload-key-0123456789", "reload-other-0123456789"
ROW = '[senders.{name}]\nsignature = "api-key"\nsecrets = ["${variable}"]\nenvelope = "custom"\n'
ONE, TWO = ROW.format(name="one", variable="ONE"), ROW.format(name="two", variable="TWO")


def post(server, name, key):
    body = {"conversationId": "99999999-9999-4999-8999-999999999999"}
    return requests.post(f"{server.url}/webhooks/{name}", json=body, headers={"X-Api-Key": key}, timeout=60).status_code


def reload(server):
    old = set(server.workers())
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not old & set(server.workers()) and len(server.workers()) == 2)


def test_senders_are_reloaded_and_a_broken_file_keeps_those_in_force(gunicorn, tmp_path):
    file = tmp_path / "senders.toml"
    file.write_text(ONE)
    server = gunicorn(SENDERS_FILE=str(file), ONE=KEY, TWO=OTHER)
    wait_until(lambda: len(server.workers()) == 2)
    assert (post(server, "one", KEY), post(server, "two", OTHER)) == (404, 404)  # no such conversation; no such sender
    assert post(server, "one", OTHER) == 401
    stop, seen = threading.Event(), []

    def keep_posting():
        while not stop.is_set():
            seen.append(post(server, "one", KEY))
            time.sleep(0.02)  # some fifty a second are in the way of every reload, and leave it the processor

    client = threading.Thread(target=keep_posting)
    client.start()

    file.write_text(ONE + TWO)
    reload(server)
    assert post(server, "two", KEY) == 401  # it is there now

    file.write_text(ONE + TWO + "[senders.three]\nsignature = 'guthib'\n")
    reload(server)
    assert (post(server, "one", OTHER), post(server, "two", KEY)) == (401, 401)
    ready = requests.get(f"{server.url}/readyz", timeout=60)
    assert "guthib" in ready.json()["checks"]["configuration"]
    assert ready.status_code == 200
    wait_until(lambda: "cobrowse_reload_refused 1.0" in requests.get(f"{server.url}/metrics", timeout=60).text)
    wait_until(lambda: "Reload refused" in server.log)

    file.write_text(TWO)
    reload(server)
    stop.set()
    client.join(60)
    assert post(server, "one", KEY) == 404
    assert post(server, "two", KEY) == 401
    assert "configuration" not in requests.get(f"{server.url}/readyz", timeout=60).json()["checks"]
    # The gauge is of the workers that live, and it is written once they serve.
    wait_until(lambda: "cobrowse_reload_refused 0.0" in requests.get(f"{server.url}/metrics", timeout=60).text)
    assert seen
    assert set(seen) == {404}  # an answer to each, and each time the same


def test_a_weak_row_is_warned_of_once_at_the_start_and_once_at_each_reload(gunicorn, tmp_path):
    file = tmp_path / "senders.toml"
    file.write_text('[senders.intercom]\nsignature = "intercom"\nsecrets = ["$ONE"]\nenvelope = "custom"\n')
    server = gunicorn(SENDERS_FILE=str(file), ONE=KEY)
    wait_until(lambda: len(server.workers()) == 2)
    warning = "[WARNING] Senders file, intercom: signature: sha1 is weak"
    assert server.log.count(warning) == 1
    reload(server)
    assert server.log.count(warning) == 2
    assert server.log.count("sha1 is weak") == 2
