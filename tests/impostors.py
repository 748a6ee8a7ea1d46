"""Servers that speak to whoever connects as they like: what may stand where a database or a counter should."""

import contextlib
import socket
import threading


def says(answer):
    """One that gives this answer to whatever it is sent."""

    def serve(connection):
        while connection.recv(65_536):
            threading.Event().wait(0.01)  # a client that asks for ever must not take the whole processor
            connection.sendall(answer)

    return serve


def goes_on_for_ever(first):
    """One that begins so, and is never done."""

    def serve(connection):
        connection.recv(65_536)
        connection.sendall(first)
        while True:
            connection.sendall(b"x" * 4_096)
            threading.Event().wait(0.01)

    return serve


@contextlib.contextmanager
def impostor(serve):
    """The port of a server that treats each connection so."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def one(connection):
            with connection, contextlib.suppress(OSError):
                serve(connection)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=one, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
