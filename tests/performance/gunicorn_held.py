"""gunicorn.conf.py, and in each worker a sleeper that notes how long the loop was held: for the benchmark only.

The sleeper, a greenlet where the standard library is patched and a thread where it is not, sleeps a millisecond over
and over. How late it wakes is how long a request that arrived then would have waited for its turn. One long hold delays
all that would have arrived in it, so a lateness of 20 ms counts as 20, 19, 18 … ms too, as a load without coordinated
omission would have seen it. Beside it stands how long the worker's own code ran in that time: the rest is waiting for
a core or for a blocking call. The counts go to HELD_FOLDER, a file for each worker, twice a second.
"""

import json
import os
import threading
import time
from collections import Counter
from pathlib import Path

exec(compile(Path("gunicorn.conf.py").read_text(), "gunicorn.conf.py", "exec"))

from tests.performance.figures import spread_late  # noqa: E402 - patching comes first

_after_start = globals().get("post_worker_init", lambda _worker: None)
_EVERY_MS = 1
_WRITTEN_EVERY_SECONDS = 0.5


def post_worker_init(worker):
    """What the service does here, and the sleeper's start."""
    _after_start(worker)
    file = Path(os.environ["HELD_FOLDER"]) / f"{os.getpid()}.json"
    threading.Thread(target=_note_lateness, args=(file,), daemon=True).start()


def _note_lateness(file):
    counts = {"late": Counter(), "ran": Counter()}
    slept = written = time.perf_counter()
    ran_until = time.thread_time()
    while True:
        time.sleep(_EVERY_MS / 1000)
        woken = time.perf_counter()
        counts["late"].update(spread_late(round((woken - slept) * 1000 - _EVERY_MS)))
        counts["ran"].update(spread_late(round((time.thread_time() - ran_until) * 1000)))
        if woken - written > _WRITTEN_EVERY_SECONDS:
            partial = file.with_suffix(".partial")
            partial.write_text(json.dumps(counts))
            partial.replace(file)
            written = woken
        slept, ran_until = time.perf_counter(), time.thread_time()
