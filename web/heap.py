"""One heap for all threads of a worker.

glibc gives threads heaps of their own, and each a store of what it has freed, so that they need not wait for each
other; the others can't use what lies there. Ours wait for the interpreter's lock anyway.
"""

import os
import sys
from collections.abc import Callable, MutableMapping

VARIABLE = "GLIBC_TUNABLES"
# glibc's manual, "Memory Allocation Tunables": one arena, and no cache that belongs to a thread.
TUNABLES = "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0"


def one_heap(environment: MutableMapping[str, str], execute: Callable[[str, list[str]], object] = os.execv) -> None:
    """Start this program anew, as the same process: glibc asks for its tunables at no other time.

    Not where the variable says something already: this has been done, or somebody has chosen otherwise.
    """
    if VARIABLE not in environment:
        environment[VARIABLE] = TUNABLES
        execute(sys.executable, [sys.executable, *sys.orig_argv[1:]])
