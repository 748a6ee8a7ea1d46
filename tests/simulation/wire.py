"""A worker's way to the simulated Genesys: an httpx transport on which everything can go wrong."""

from collections.abc import Callable

import httpx
import orjson

from tests.simulation import mischief
from tests.simulation.genesys import SETTLED_AFTER, Platform
from tests.simulation.scheduler import Call

Effect = Callable[[], tuple[int, object]]


class Answer:
    """As much of an httpx.Response as the product reads, at a tenth of the price."""

    def __init__(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.headers = headers or {}
        self._content = content

    def read(self) -> bytes:
        """The body."""
        return self._content if isinstance(self._content, bytes) else orjson.dumps(self._content)


class Wire(httpx.BaseTransport):
    """`legs`: seconds that a way there or back takes, at least and at most."""

    def __init__(self, platform: Platform, legs: tuple[float, float]) -> None:
        self._platform = platform
        self._world = platform.world
        self._legs = legs

    def handle_request(self, request: httpx.Request) -> Answer:
        """The platform's answer, or what httpx raises for what happened instead."""
        world = self._world
        world.alive()
        method, path, headers, body = request.method, request.url.path, request.headers, request.content
        correlation = headers["inin-correlation-id"]
        self._platform.calls[correlation] = self._platform.calls.get(correlation, 0) + 1
        if method != "GET" and path != "/oauth/token":
            self._platform.touched.add(correlation)
        budget: float = request.extensions["timeout"]["read"]
        there, back = world.between(*self._legs), world.between(*self._legs)
        fate = world.mischief.call(f"{method} {path}")
        if not fate and there + back > budget:
            fate = mischief.SILENT
        world.note("call", method, path, correlation, fate)
        world.tempt(there + back)
        start = world.now

        def effect() -> tuple[int, object]:
            return self._platform.answer(method, path, headers, body, start)

        if fate:
            connect = request.extensions["timeout"]["connect"]
            answer = self._spoilt(fate, path, effect, min(there + back, budget), min(connect, budget), budget)
        else:
            call = Call(effect)
            world.send(call, there, back)
            world.park()
            answer = Answer(*call.answer)
        if world.now - start > budget + 1e-6:
            # The worker stood still meanwhile; its timer is what it finds first when it goes on.
            raise httpx.ReadTimeout("too late")
        if answer.status_code == 201 and not fate:
            self._platform.heard(call.answer[1])
        if method == "PATCH" and fate == mischief.GARBLED:
            self._platform.garbled.add(correlation)
        if method == "POST" and 200 <= answer.status_code < 300:
            self._platform.record_success(path, correlation, readable=not fate)
        world.note("answer", answer.status_code)
        return answer

    def _spoilt(self, fate: str, path: str, effect: Effect, soon: float, connect: float, budget: float) -> Answer:
        """What comes of a call that goes wrong. `soon`, `connect` and `budget` are seconds from now."""
        world, random = self._world, self._world.random
        if fate == mischief.UNREACHABLE:
            if random.random() < 0.5:
                world.pause(min(soon, connect))
                raise httpx.ConnectError("refused")
            world.pause(connect)
            raise httpx.ConnectTimeout("no way")
        if fate == mischief.SILENT:
            if random.random() < 0.5:
                world.send(Call(effect), random.random() * budget, None)
            world.pause(budget)
            raise httpx.ReadTimeout("silence")
        if fate == mischief.BUSY:
            world.pause(soon)
            wait = random.choice((None, "0", "1", "3", "30"))
            return Answer(429, {"code": "too.many.requests"}, {"retry-after": wait} if wait else None)
        if fate == mischief.FORBIDDEN:
            world.pause(soon)
            return Answer(403, {"code": "missing.permissions"})
        if fate == mischief.EXPIRED and path != "/oauth/token":
            self._platform.tokens.clear()
            world.pause(soon)
            return Answer(401, {"code": "bad.credentials"})
        self._maybe(effect, soon, budget, always=fate == mischief.GARBLED and random.random() < 0.8)
        world.pause(soon)
        if fate == mischief.CUT:
            raise random.choice((httpx.RemoteProtocolError, httpx.ReadError))("cut")
        if fate == mischief.GARBLED:
            return Answer(200, b"<html>")
        wait = random.choice((None, None, "1"))
        return Answer(random.choice((500, 502, 503, 504, 408)), {}, {"retry-after": wait} if wait else None)

    def _maybe(self, effect: Effect, soon: float, budget: float, *, always: bool) -> None:
        """The effect of a call whose answer is lost after `soon`: none, before that, or just so late that it shows."""
        random = self._world.random
        when = random.random() * soon
        if not always:
            if random.random() < 0.4:
                return
            if random.random() < 0.3:
                when = min(soon + random.random() * (SETTLED_AFTER - self._platform.lag), budget)
        self._world.send(Call(effect), when, None)
