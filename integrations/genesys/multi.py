"""libcurl's multi interface on gevent's hub: transfers of one thread run at once, each waiting in its own greenlet.

libcurl names the sockets and the time it waits for, gevent watches them, and `perform` blocks only the calling
greenlet. Without monkey patching it is the same: the calling thread's hub runs its loop until the transfer is done.
"""

import os
from time import monotonic  # noqa: TID251 - it paces libcurl, which reads the real time itself
from typing import Any
from weakref import WeakKeyDictionary

import pycurl
from gevent import get_hub
from gevent._hub_local import get_hub_if_exists
from gevent.hub import Hub, Waiter

# libcurl's interest in a socket as libev's events (1 read, 2 write), and what to report back once it is ready; for both
# libcurl looks itself.
_EVENTS = {pycurl.POLL_IN: 1, pycurl.POLL_OUT: 2, pycurl.POLL_INOUT: 3}
_READY = {pycurl.POLL_IN: pycurl.CSELECT_IN, pycurl.POLL_OUT: pycurl.CSELECT_OUT, pycurl.POLL_INOUT: 0}


class HubTransfers:
    """The running transfers of one hub."""

    def __init__(self, hub: Hub) -> None:
        self._loop = hub.loop
        self._waiters: dict[pycurl.Curl, Waiter] = {}
        self._sockets: dict[int, Any] = {}
        self._timer: Any = None
        self._timer_ends = 0.0
        self._due: float | None = None  # when libcurl must be called next, in monotonic seconds
        self._error: BaseException | None = None
        self.is_broken = False
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1)  # of each handle's own pool
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_interest)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_due)

    def perform(self, hub: Hub, easy: pycurl.Curl) -> None:
        """See `perform`."""
        waiter = self._waiters[easy] = Waiter(hub)
        try:
            self._multi.add_handle(easy)
            try:
                self._advance(pycurl.SOCKET_TIMEOUT, 0)  # at once, instead of when the loop next runs
                error = waiter.get()
            finally:
                self._multi.remove_handle(easy)
                self._set_timer()
        finally:
            self._waiters.pop(easy, None)
        if error is not None:
            raise pycurl.error(*error)

    def close(self) -> None:
        """Free libcurl's resources; no transfer may be running."""
        self.stop()
        self._multi.close()

    def stop(self) -> None:
        """Watch nothing any longer. The connections are not touched."""
        for watcher in self._sockets.values():
            watcher.close()
        self._sockets.clear()
        self._due = None
        self._set_timer()

    def _on_interest(self, interest: int, socket: int, _multi: object, _data: object) -> None:
        """Called by libcurl."""
        try:
            self._watch(socket, interest)
        except BaseException as error:  # noqa: BLE001 - pycurl would print it and go on
            self._error = error

    def _watch(self, socket: int, interest: int) -> None:
        """Have `_advance` called. A new watcher each time: libev must see that a descriptor's number was used again."""
        watcher = self._sockets.pop(socket, None)
        if watcher is not None:
            watcher.close()
        if interest in _EVENTS:
            watcher = self._sockets[socket] = self._loop.io(socket, _EVENTS[interest])
            watcher.start(self._advance, socket, _READY[interest])

    def _on_due(self, milliseconds: int) -> None:
        """Called by libcurl. -1 is never."""
        self._due = None if milliseconds < 0 else monotonic() + milliseconds / 1000

    def _on_timer(self) -> None:
        self._stop_timer()
        if self._due is not None and self._due > monotonic():
            self._set_timer()  # put off since
        else:
            self._due = None
            self._advance(pycurl.SOCKET_TIMEOUT, 0)

    def _advance(self, socket: int, ready: int) -> None:
        """Let libcurl do what it can without waiting, and wake the greenlets whose transfers have ended."""
        try:
            _, running = self._multi.socket_action(socket, ready)
            if self._error is not None:
                self._raise_caught()
            if running < len(self._waiters):
                self._wake_finished()
            self._set_timer()
        except BaseException as error:
            self._break_off(error)
            raise

    def _raise_caught(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _break_off(self, error: BaseException) -> None:
        """End all transfers: after an exception here, a signal's most likely, libcurl may never report on them."""
        self.is_broken = True
        self.stop()
        for easy in list(self._waiters):
            self._wake(easy, (pycurl.E_RECV_ERROR, f"broken off by {type(error).__name__}"))

    def _wake_finished(self) -> None:
        more = 1
        while more:
            more, succeeded, failed = self._multi.info_read()
            for easy in succeeded:
                self._wake(easy, None)
            for easy, code, message in failed:
                self._wake(easy, (code, message))

    def _wake(self, easy: pycurl.Curl, error: tuple[int, str] | None) -> None:
        # By the loop: this may run in the greenlet of another call, and only the hub may switch to a waiter.
        waiter = self._waiters.pop(easy, None)
        if waiter is not None:
            self._loop.run_callback(waiter.switch, error)

    def _set_timer(self) -> None:
        """Have `_on_timer` called in time. A timer that ends too early stays: most calls only put their end off."""
        if self._due is None:
            self._stop_timer()
        elif self._timer is None or self._due < self._timer_ends:
            self._stop_timer()
            self._timer_ends = self._due
            self._timer = self._loop.timer(max(0.0, self._due - monotonic()))
            self._timer.start(self._on_timer, update=True)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None


_transfers: WeakKeyDictionary[Hub, HubTransfers] = WeakKeyDictionary()
# What a forked child has of its parent's. Kept, because to free it would be to speak on the parent's connections.
_inherited: list[HubTransfers] = []


def perform(easy: pycurl.Curl) -> None:
    """Carry the transfer that `easy` describes to its end, while the thread's other greenlets run.

    Raises:
        pycurl.error: libcurl's code and message.
        BaseException: What is thrown into the waiting greenlet. The transfer is broken off; close `easy`.
    """
    hub = get_hub_if_exists()
    if hub is not None:
        _transfers_on(hub).perform(hub, easy)
        return
    hub = get_hub()
    try:
        _transfers_on(hub).perform(hub, easy)
    finally:
        if not hub.loop.default:  # a plain thread's: nothing would free it when the thread ends
            _transfers.pop(hub).close()
            hub.destroy()


def _transfers_on(hub: Hub) -> HubTransfers:
    transfers = _transfers.get(hub)
    if transfers is None or transfers.is_broken:
        transfers = _transfers[hub] = HubTransfers(hub)
    return transfers


def _leave_parents_alone() -> None:
    """In a forked child: the hub must not act on what happens to the parent's transfers."""
    for hub, transfers in _transfers.items():
        transfers.stop()
        # Before the loop runs: it would first change what the kernel watches for the parent. gevent's own fork, in
        # place where os is patched, does the same.
        if hub.loop is not None:
            hub.loop.reinit()
        _inherited.append(transfers)
    _transfers.clear()


os.register_at_fork(after_in_child=_leave_parents_alone)

__all__ = ["perform"]
