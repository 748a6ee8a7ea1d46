"""One client for all the tests that ask a server of this machine: no proxy, a connection for each request.

It loads no certificates, which takes 20 ms of CPU for each client: many tests ask often, next to what they test.
"""

import httpx

from tests.clocks import HANGS

HTTP = httpx.Client(trust_env=False, verify=False, timeout=HANGS, limits=httpx.Limits(max_keepalive_connections=0))
