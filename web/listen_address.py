"""Why a server can't listen on its address, in words for the person who starts it, and a wait until it can."""

import errno
import socket
from collections.abc import Callable

from cobrowse.clock import Clock, Deadline

# Seconds for which gunicorn tries too: a supervisor may start a service while the one before it ends.
WAIT_SECONDS = 5.0
POLL_SECONDS = 0.1


def format_address(host: str, port: int) -> str:
    """An address as URLs and gunicorn write it: one of IPv6 has brackets around it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def explain(host: str, port: int, error: OSError, *, host_name: str, port_name: str) -> tuple[str, str]:
    """The cause of an error in listening there, and the remedy. The names are those of what sets host and port."""
    place = format_address(host, port)
    if error.errno == errno.EADDRINUSE:
        remedy = f"Choose another {port_name}, or end the process that this shows: ss -ltnp 'sport = :{port}'"
        return f"{place} is in use by another process", remedy
    if error.errno == errno.EACCES:
        return f"Port {port} needs rights that this process does not have", f"Choose a {port_name} from 1024 on."
    remedy = f"Choose a {host_name} that this machine has: 127.0.0.1 is itself only, 0.0.0.0 all of its addresses."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine", remedy
    return f"{place} can't be listened on: {error.strerror or error}", remedy


def wait_for_address(host: str, port: int, clock: Clock, say: Callable[[str], object]) -> bool:
    """Whether a server can listen there by now, or within WAIT_SECONDS. `say` gets the reason at once if it can't."""
    deadline = Deadline.after(WAIT_SECONDS, clock)
    error = _bind_error(host, port)
    if error is None:
        return True
    cause, remedy = explain(host, port, error, host_name="HOST", port_name="PORT")
    say(f"{cause}. Trying for {WAIT_SECONDS:g} seconds.\n{remedy}")
    while deadline.remaining():
        clock.sleep(POLL_SECONDS)
        if _bind_error(host, port) is None:
            return True
    say(f"{cause}: the service has not started.")
    return False


def _bind_error(host: str, port: int) -> OSError | None:
    """What a server's bind would fail with. Nothing listens meanwhile, so that no client gets a connection."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None
