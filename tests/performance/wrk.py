"""wrk: the load that every figure of a rate or a latency comes from, and how its output is read."""

import itertools
import json
import os
from pathlib import Path

from tests.performance.contenders import KEY

SCRIPT = str(Path(__file__).with_name("load.lua"))
# wrk gives a request up after this; longer than any deadline of a contender.
TIMEOUT_SECONDS = 15
# No two runs ask for the same conversations.
_seeds = itertools.count(int.from_bytes(os.urandom(4)) << 12)


class WrkFailed(Exception):
    """wrk printed no result; the message quotes what it said."""


def command(url, connections, seconds, *, mode="fresh", ramp_ms=0, seed=None):
    """The words that start it. One wrk thread has room for some 30,000 requests a second with this script."""
    seed = next(_seeds) if seed is None else seed
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={TIMEOUT_SECONDS}s", "-s", SCRIPT, url]
    return [*words, "--", mode, KEY, str(seed), str(ramp_ms), str(connections)]


def parse(output):
    """The counts and milliseconds of a run, and `sample`, an answer that was none of those wanted ("" if all were).

    `good` are answers with a verified session or an ignored event, `refused` 503s with Retry-After, `failed` any other
    answer, `broken` connections and requests without one. Errors: WrkFailed.
    """
    found = {line.partition(" ")[0]: line.partition(" ")[2] for line in output.splitlines()}
    try:
        result = json.loads(found["RESULT"])
    except (KeyError, ValueError):
        raise WrkFailed(output[-400:] or "wrk printed nothing") from None
    return result | {"sample": found.get("SAMPLE", "")}
