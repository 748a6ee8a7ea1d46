"""A gthread worker that gives a thread only to a request that is there whole, and refuses what it can't serve in time.

gunicorn's own waits for a connection's first byte only; a client that sends half a request then holds a thread for as
long as it likes, and as many such clients as there are threads stop the service. Here the main loop, which waits for
every connection at once anyway, collects the bytes; a client that is too slow gets 408 and costs no thread.
"""

import socket
import time
from collections import deque
from collections.abc import Collection, Iterable
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.http.unreader import IterUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

from cobrowse.errors import CobrowseError, Overloaded, RequestTimeout
from web import answers, edge
from web.cores import least_taken, stay_on, usable
from web.framing import Arrival
from web.shares import Shares

# Seconds a client has to send its request whole, from its first byte (a new connection: from its opening) on.
READ_SECONDS = 8.0
# Bytes of a request's head that are collected at most: beyond gunicorn's own limits, so that it is the one to refuse.
HEAD_BYTES = 65_536
# Seconds a whole request may wait for a thread. Its caller's patience runs all the while.
MOST_WAIT = 1.0
# Seconds that a client has to close its end after the last answer, and the bytes of it that are read meanwhile.
PARTING_SECONDS = 2.0
PARTING_BYTES = 65_536
# Seconds in which a connection is left to a worker that has fewer; if it is busy, it is taken after that all the same.
GIVE_WAY = 0.005
# Seconds between looks whether that worker still has fewer: the shortest time the loop can wait.
LOOK_AGAIN = 0.001
# Requests that may wait for a thread, for each thread there is: they get one within a request's own time.
WAITING_PER_THREAD = 1

# Made where the server loads this class, before it forks.
SHARES = Shares()


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A connection whose end is not waited for where nobody else can be served meanwhile."""

    def __init__(self, worker: "Worker", *args: Any) -> None:  # noqa: ANN401 - gunicorn's own signature
        super().__init__(*args)
        self._worker = worker

    def init(self) -> None:
        """Make its parser, which gets what the main loop has collected and can wait for nothing more."""
        if not self.initialized:
            super().init()
            self.parser.unreader = IterUnreader(())

    def close(self, graceful: bool = False) -> None:
        """End it; gunicorn's own graceful way would wait for the client, in the main loop."""
        if graceful:
            self._worker.part(self)
        else:
            super().close()


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's gthread, patient in the main loop and impatient at the door."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - gunicorn's own signature
        super().__init__(*args, **kwargs)
        self._arriving: deque[TConn] = deque()
        self._parting: deque[TConn] = deque()
        self._at_work = 0
        self._accept_from = 0.0
        self._gave_way = False
        self._most_at_work: int = self.cfg.threads * (1 + WAITING_PER_THREAD)
        self.core: int | None = None
        self.expect((self.age,))

    @staticmethod
    def expect(numbers: Iterable[int]) -> None:
        """Workers of these numbers are about to start: whoever is there already leaves them their share from now on."""
        for number in numbers:
            SHARES.put(number, 0)

    def count_out(self) -> None:
        """It takes no more connections, or is no more."""
        SHARES.leave(self.age)

    def choose_core(self, taken: Collection[int | None], workers: int) -> None:
        """The one to stay on; called by the server, before it forks. `taken` have the others, of so many in all."""
        self.core = least_taken(usable(), taken, workers)

    def init_process(self) -> None:
        """Settle down, before the first thread is started."""
        if self.core is not None:
            stay_on(self.core)
        super().init_process()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Let the others know how many connections there are; wake up when some may be taken again."""
        if self.alive:
            SHARES.put(self.age, self.nr_conns)
        else:
            self.count_out()
        if not self._accepting and time.monotonic() < self._accept_from:
            timeout = min(timeout, LOOK_AGAIN)
        super().wait_for_and_dispatch_events(timeout)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Not while others go first."""
        super().set_accept_enabled(enabled and (time.monotonic() >= self._accept_from or not self._is_ahead()))

    def _is_ahead(self) -> bool:
        """Whether another worker could serve one more sooner. Where none can serve any more, whoever may say so."""
        mine: int = self.nr_conns
        return SHARES.fewest() < min(mine, self._most_at_work)

    def _gives_way(self) -> bool:
        """Whether another worker should have this connection, and may still take it."""
        now = time.monotonic()
        waited, self._gave_way = self._gave_way and now < self._accept_from + GIVE_WAY, False
        if waited or not self._is_ahead():
            return False
        self._gave_way = True
        self._accept_from = now + GIVE_WAY
        self.set_accept_enabled(False)
        return True

    def accept(self, listener: socket.socket) -> None:
        """Take a connection and wait, in the main loop, for its first request."""
        if self._gives_way():
            return
        if self.cfg.is_ssl:
            super().accept(listener)  # a TLS handshake needs a thread; a deployment ends TLS in front
            return
        try:
            client, address = listener.accept()
        except OSError:
            return  # somebody else took it, or it has gone again
        self.nr_conns += 1
        SHARES.put(self.age, self.nr_conns)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._await(Connection(self, self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """A kept-alive connection has something to say: collect it first."""
        if self.cfg.is_ssl:
            super().on_client_socket_readable(conn, client)
            return
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._await(conn)
        self._receive(conn, client)

    def murder_pending(self) -> None:
        """End what has not come in time."""
        super().murder_pending()
        now = time.monotonic()
        while self._arriving and self._arriving[0].timeout <= now:
            conn = self._arriving[0]
            self._forget(conn)
            if conn.arrival.received:
                _say(conn.sock, RequestTimeout("the request did not arrive whole in time"))
            self._drop(conn)
        while self._parting and self._parting[0].timeout <= now:
            self._end(self._parting[0])

    def finish_request(self, conn: TConn, fs: Any) -> None:  # noqa: ANN401 - gunicorn's own signature
        """A thread is free again."""
        self._at_work -= 1
        super().finish_request(conn, fs)

    def enqueue_req(self, conn: TConn) -> None:
        """Take the bytes that came behind the last request; they may be the next one's beginning only."""
        if self.cfg.is_ssl:
            self._hand_over(conn)
            return
        self._await(conn)
        self._took(conn, conn.parser.unreader.take_buffered())

    def part(self, conn: TConn) -> None:
        """Say goodbye and wait, in the main loop, for the client's: else what it still sends would undo our answer."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:
            conn.close()
            return
        self.nr_conns += 1
        conn.timeout = time.monotonic() + PARTING_SECONDS
        conn.unheard = 0
        self._parting.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self._hear_out, conn))

    def _hear_out(self, conn: TConn, client: socket.socket) -> None:
        try:
            conn.unheard += (more := len(client.recv(65_536)))
        except BlockingIOError:
            return
        except OSError:
            more = 0
        if not more or conn.unheard > PARTING_BYTES:
            self._end(conn)

    def _end(self, conn: TConn) -> None:
        self._parting.remove(conn)
        self.poller.unregister(conn.sock)
        self._drop(conn)

    def _hand_over(self, conn: TConn) -> None:
        """Give it to a thread, or refuse it at once where it would wait too long for one."""
        if self._at_work >= self._most_at_work:
            _say(conn.sock, Overloaded("as many requests are under way as this worker can serve in time"))
            self._drop(conn)
            return
        self._at_work += 1
        conn.ready = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: TConn) -> Any:  # noqa: ANN401 - gunicorn's own signature
        """Serve it, in a thread, unless it has waited too long for that."""
        if time.monotonic() - conn.ready > MOST_WAIT:
            conn.sock.setblocking(True)
            _say(conn.sock, Overloaded("no thread was free in time"))
            return False
        return super().handle(conn)

    def _await(self, conn: TConn) -> None:
        conn.arrival = Arrival()
        conn.timeout = time.monotonic() + READ_SECONDS
        conn.sock.setblocking(False)
        self._arriving.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self._receive, conn))

    def _receive(self, conn: TConn, client: socket.socket) -> None:
        try:
            data = client.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._forget(conn)
            if conn.arrival.received:
                _say(client, RequestTimeout("the request ended before it was complete"))
            self._drop(conn)
            return
        self._took(conn, data)

    def _took(self, conn: TConn, data: bytes) -> None:
        whole = conn.arrival.add(data)
        if whole or len(conn.arrival.received) > HEAD_BYTES + self._most_body():
            self._forget(conn)
            conn.data_ready = True
            conn.init()
            conn.parser.unreader.unread(bytes(conn.arrival.received))
            self._hand_over(conn)
        elif conn.arrival.wants_continue:
            conn.arrival.wants_continue = False
            conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _most_body(self) -> int:
        return int(self.wsgi.config["MAX_CONTENT_LENGTH"])

    def _forget(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        self._arriving.remove(conn)

    def _drop(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close(graceful=False)


def _say(client: socket.socket, error: CobrowseError) -> None:
    """A refusal straight from the main loop: the flat answer, and the connection ends."""
    response = answers.refuse(error, "")
    head = f"HTTP/1.1 {response.status}\r\nConnection: close\r\n"
    headers = edge.HEADERS | dict(response.headers.items())
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    try:
        client.send(head.encode("latin-1") + b"\r\n" + response.get_data())
        client.shutdown(socket.SHUT_WR)
    except OSError:
        return  # it has gone; nothing is owed to it
