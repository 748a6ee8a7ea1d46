"""What each sender has delivered is counted over all workers, and over a reload and a restart."""

import re

import requests

from tests.clocks import HANGS, wait_until
from tests.integration.test_reload import KEY, ONE, post, reload


def deliveries(server):
    page = requests.get(f"{server.url}/console/senders", timeout=HANGS).text
    found = re.search(r'data-head="Deliveries">(\d+)<', page)
    return int(found[1])


def test_every_worker_shows_the_same_count_also_after_a_reload_and_a_restart(gunicorn, tmp_path):
    file = tmp_path / "senders.toml"
    file.write_text(ONE)
    variables = {"SENDERS_FILE": str(file), "ONE": KEY}
    server = gunicorn(**variables)
    wait_until(lambda: len(server.workers()) == 2)
    assert [post(server, "one", KEY) for _ in range(6)] == [404] * 6
    reload(server)  # what a worker that ends has not written yet it writes then
    post(server, "one", KEY)
    wait_until(lambda: deliveries(server) == 7)
    assert {deliveries(server) for _ in range(10)} == {7}
    post(server, "one", KEY)
    server.stop()
    assert deliveries(gunicorn(**variables)) == 8
