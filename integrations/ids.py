"""The ids that this service gives: to initiations, and to correlations that came without one."""

import os

from cobrowse.clock import SystemClock

_CLOCK = SystemClock()


def new_id() -> str:
    """A new id for an initiation or a correlation: a UUID of version 7 (RFC 9562), 74 bits of which are random.

    It begins with the time in milliseconds, so that the ledger's indexes on ids grow at one end.
    """
    bits = int(1000 * _CLOCK.now().timestamp()) << 80 | int.from_bytes(os.urandom(10))
    digits = f"{bits & ~(0xF << 76 | 0b11 << 62) | 0x7 << 76 | 0b10 << 62:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
