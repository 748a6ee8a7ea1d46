"""One heap for all threads of a process.

glibc gives threads heaps of their own, so that they need not wait for each other, and what one has freed the others
can't use. Ours wait for the interpreter's lock anyway: with 64 of them a worker would be a fifth larger.
"""

import ctypes
from contextlib import suppress

# Its number in glibc's malloc.h.
M_ARENA_MAX = -8


def one_heap() -> bool:
    """Ask for it, before threads are started; False where the C library knows no such thing."""
    with suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1))
    return False
