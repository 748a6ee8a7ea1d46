"""libcurl's multi interface on gevent's hub: transfers of one thread run at once, each waiting in its own greenlet.

libcurl names the sockets and the time it waits for, gevent watches them, and `perform` blocks only the calling
greenlet. Without monkey patching it is the same: the calling thread's hub runs its loop until the transfer is done.
"""

from math import inf
from time import monotonic  # noqa: TID251 - it paces libcurl, which reads the real time itself
from typing import Any
from weakref import WeakKeyDictionary

import pycurl
from gevent import get_hub
from gevent._hub_local import get_hub_if_exists
from gevent.hub import Hub, Waiter

Error = tuple[int, str]


class HubTransfers:
    """The running transfers of one hub."""

    def __init__(self, hub: Hub) -> None:
        self._loop = hub.loop
        self._waiters: dict[pycurl.Curl, Waiter] = {}
        self._watchers: dict[int, Any] = {}
        self._timer: Any = None
        # When libcurl must be called next, and when the timer ends; in monotonic seconds.
        self._due = self._timer_ends = inf
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1)  # of each handle's own pool
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_due)

    def perform(self, easy: pycurl.Curl) -> None:
        """See `perform`."""
        self._multi.add_handle(easy)
        waiter = self._waiters[easy] = Waiter()
        try:
            self._advance(0, pycurl.SOCKET_TIMEOUT)  # at once, instead of when the loop next runs
            error: Error | None = waiter.get()
        finally:
            self._waiters.pop(easy, None)
            self._multi.remove_handle(easy)
            self._set_timer()
        if error is not None:
            raise pycurl.error(*error)

    def close(self) -> None:
        """Free libcurl's resources; no transfer may be running."""
        for watcher in self._watchers.values():
            watcher.close()
        self._stop_timer()
        self._multi.close()

    def _watch(self, interest: int, socket: int, _multi: object, _data: object) -> None:
        """Called by libcurl. A new watcher each time: libev must see that a descriptor's number was used again."""
        watcher = self._watchers.pop(socket, None)
        if watcher is not None:
            watcher.close()
        if interest not in (pycurl.POLL_NONE, pycurl.POLL_REMOVE):
            # libcurl's bits for reading and writing are libev's.
            watcher = self._watchers[socket] = self._loop.io(socket, interest)
            watcher.start(self._advance, socket, pass_events=True)

    def _on_due(self, milliseconds: int) -> None:
        """Called by libcurl. -1 is never."""
        self._due = inf if milliseconds < 0 else monotonic() + milliseconds / 1000

    def _advance(self, ready: int, socket: int) -> None:
        """Let libcurl do what it can without waiting, and wake the greenlets whose transfers have ended."""
        _, running = self._multi.socket_action(socket, ready)
        more = running < len(self._waiters)
        while more:
            more, succeeded, failed = self._multi.info_read()
            for easy in succeeded:
                self._wake(easy, None)
            for easy, code, message in failed:
                self._wake(easy, (code, message))
        self._set_timer()

    def _wake(self, easy: pycurl.Curl, error: Error | None) -> None:
        # By the loop: this may run in the greenlet of another call, and only the hub may switch to a waiter.
        self._loop.run_callback(self._waiters.pop(easy).switch, error)

    def _set_timer(self) -> None:
        """Have libcurl called in time. A timer that ends too early stays: most calls only put their end off."""
        if self._due == inf:
            self._stop_timer()
        elif self._due < self._timer_ends:
            self._stop_timer()
            self._timer_ends = self._due
            self._timer = self._loop.timer(max(0.0, self._due - monotonic()))
            self._timer.start(self._on_timer, update=True)

    def _on_timer(self) -> None:
        self._stop_timer()
        if self._due > monotonic():
            self._set_timer()  # put off since
        else:
            self._due = inf
            self._advance(0, pycurl.SOCKET_TIMEOUT)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None
            self._timer_ends = inf


_transfers: WeakKeyDictionary[Hub, HubTransfers] = WeakKeyDictionary()


def perform(easy: pycurl.Curl) -> None:
    """Carry the transfer that `easy` describes to its end, while the thread's other greenlets run.

    Raises:
        pycurl.error: libcurl's code and message.
        BaseException: What is thrown into the waiting greenlet. The transfer is broken off; close `easy`.
    """
    hub = get_hub_if_exists()
    if hub is not None:
        _transfers_on(hub).perform(easy)
        return
    hub = get_hub()
    try:
        _transfers_on(hub).perform(easy)
    finally:
        if not hub.loop.default:  # a plain thread's: nothing would free it when the thread ends
            _transfers.pop(hub).close()
            hub.destroy()


def _transfers_on(hub: Hub) -> HubTransfers:
    transfers = _transfers.get(hub)
    if transfers is None:
        transfers = _transfers[hub] = HubTransfers(hub)
    return transfers


__all__ = ["perform"]
