"""Runs what would block the event loop: under gevent in a thread of the hub's pool, else in the caller.

The server runs all requests on one thread, with gevent's monkey patching; the CLI and the tests run without it. gevent
is looked up among the imported modules, so that a process that doesn't use it needn't have it.
"""

import sys
from _thread import LockType, allocate_lock
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def is_patched() -> bool:
    """Whether gevent has replaced this process's blocking calls."""
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def new_native_lock() -> LockType:
    """A lock for work that never waits while it holds it.

    It guards against other threads only: on the loop nothing comes between, and a greenlet's lock costs more than what
    it would guard.
    """
    monkey: Any = sys.modules.get("gevent.monkey")
    made: LockType = (monkey.get_original("_thread", "allocate_lock") if monkey else allocate_lock)()
    return made


def run_off_loop(work: Callable[[], T], seconds: float | None = None) -> T:
    """The work's result; other requests go on meanwhile. The work uses nothing that gevent has replaced.

    Under gevent TimeoutError is raised after `seconds`; the work continues in its thread.
    """
    if not is_patched():
        return work()
    error: Exception | None = None

    def caught() -> T | None:
        nonlocal error
        try:
            return work()
        except Exception as caught_error:  # noqa: BLE001 - raised below: gevent would also print it
            error = caught_error
            return None

    with _gevent().Timeout(seconds, TimeoutError):
        done: T = _gevent().get_hub().threadpool.apply(caught)
    if error is not None:
        raise error
    return done


def start_off_loop(work: Callable[[], T], then: Callable[[T], None]) -> None:
    """Start the work in the background, and give its result to `then`, which must not wait for anything.

    As in `run_off_loop`; the work raises nothing. The loop itself may call this.
    """

    def start() -> None:
        _gevent().get_hub().threadpool.spawn(work).rawlink(lambda ended: then(ended.value))

    if is_patched():
        _gevent().spawn(start)  # while all threads are busy it waits for one, which the loop itself can't do
    else:
        then(work())


def call_on_loop(callback: Callable[[], None], seconds: float = 0.0) -> None:
    """Under gevent: have the loop call it after the callbacks that are ready now, or after `seconds`.

    It must not wait for anything, and raises nothing.
    """
    loop = _gevent().get_hub().loop
    if seconds:
        loop.timer(seconds).start(callback)
    else:
        loop.run_callback(callback)


def new_waiter() -> Any:  # noqa: ANN401 - a class without types
    """Under gevent: what one greenlet waits for by `wait_for`, until the loop calls its `switch`."""
    return _gevent().hub.Waiter()


def wait_for(waiter: Any, seconds: float) -> None:  # noqa: ANN401 - as above
    """Under gevent: return once the waiter is switched. TimeoutError after `seconds`."""
    timer = _gevent().get_hub().loop.timer(seconds)
    timer.start(waiter.throw, TimeoutError())
    try:
        waiter.get()
    finally:
        timer.close()


def wait_for_socket(handle: int, seconds: float | None, *, writable: bool = False) -> None:
    """Under gevent: return once there is something to read, or with `writable` also once there is room to write.

    TimeoutError after `seconds`.
    """
    wait = _gevent().socket.wait_readwrite if writable else _gevent().socket.wait_read
    wait(handle, seconds)


def _gevent() -> Any:  # noqa: ANN401 - a module without types
    return sys.modules["gevent"]
