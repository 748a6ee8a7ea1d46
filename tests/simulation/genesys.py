"""A simulated Genesys Cloud: conversations, sessions, tokens, and what its endpoints do, in either shape."""

from collections.abc import Callable
from datetime import timedelta
from random import Random

import httpx
import orjson

from tests.simulation.conversations import Conversation, Session
from tests.simulation.scheduler import START, WRONG, Scheduler

# Seconds after a broken or failed call by when its effect, if there is one, shows in the conversation. The probe looks
# for 0.7 s (cobrowse.flow.PATIENCE); nobody could tell a POST that shows later from one that never arrived.
SETTLED_AFTER = 0.65

API = "https://api.simulated.test"
LOGIN = "https://login.simulated.test"
# A person's own token, which never expires.
USER_TOKEN = "of-a-person"
# The service user's token, as the ledger has it: it never expires either.
SERVICE_TOKEN = "service-token"
_DEMANDS = (("media", "cobrowse"), ("sessions",), ("media", "cobrowse", "sessions", "webchat"))


class Platform:
    """What Genesys knows. `endpoints` are the flows that this org has."""

    def __init__(self, world: Scheduler, endpoints: tuple[str, ...]) -> None:
        random = world.random
        self.world = world
        self.endpoints = endpoints
        self.conversations: dict[str, Conversation] = {}
        self.sessions: dict[str, Session] = {}
        self.calls: dict[str, int] = {}
        self.tokens: dict[str, float] = {}
        self.issued: list[tuple[float, bytes]] = []
        self.token_life = random.choice((20.0, 100.0, 3600.0))
        self.lag = random.choice((0.0, 0.1, SETTLED_AFTER))
        self.sessions_end = random.choice((0.0, 0.0, 0.3))
        self.one_at_a_time = random.random() < 0.1
        self.refuses = random.choice(("create", "attach")) if random.random() < 0.05 else ""
        self.forgets_ended = random.random() < 0.3
        self.hides_offers = random.random() < 0.3
        self.on_record: Callable[[str], bool] = lambda _session: False
        self.stands_unseen: Callable[[Session], bool] = lambda _session: False
        # Dice of their own leave the rest of a run as it is.
        dice = self._dice = Random(f"presence {world.seed}")
        self.hides_invitations = not self.hides_offers and dice.random() < 0.3
        self.rings = dice.random() < 0.3
        self.invites_who_left = dice.random() < 0.5
        # The ends of the paths whose calls need a user's token.
        demands = Random(f"user {world.seed}")
        self.demands_user = demands.choice(_DEMANDS) if demands.random() < 0.2 else ()
        # Whose call to invite was answered with a success; and when with one that can't be read, by conversation.
        self.taken: set[str] = set()
        self.unread: dict[str, list[float]] = {}
        # When whose call to create was first answered with a success that does not say what it made.
        self.nameless: dict[str, float] = {}
        # Whose calls were more than a look.
        self.touched: set[str] = set()
        # Whose call to end was answered with a page that says nothing.
        self.garbled: set[str] = set()

    def open(self, name: str, kind: str) -> None:
        """A customer starts to talk."""
        conversation = self.conversations[name] = Conversation(name, kind)
        if self.rings:
            conversation.answered = self._dice.choice((0.0, 5.0, 20.0)) * self._dice.random()
            if self._dice.random() < 0.3:
                self.world.at(5.0 + 25.0 * self._dice.random(), lambda: self._leave(conversation))

    def _leave(self, conversation: Conversation) -> None:
        """The customer hangs up; the agent is still at work on what was said."""
        self.world.note("customer left", conversation.id)
        conversation.left = self.world.now
        for session in conversation.sessions:
            session.ended = min(session.ended, self.world.now)

    def end(self, name: str) -> None:
        """The customer leaves, and with them every session."""
        conversation = self.conversations[name]
        if conversation.ended > self.world.now:
            self.world.note("conversation ended", name)
            conversation.ended = self.world.now
            for session in conversation.sessions:
                session.ended = min(session.ended, self.world.now)

    def answer(self, method: str, path: str, headers: httpx.Headers, body: bytes, asked: float) -> tuple[int, object]:
        """Status and content for a call that left at `asked`, its effect applied."""
        if path == "/oauth/token":
            self.issued.append((self.world.now, body))
            token = f"token-{len(self.issued)}"
            self.tokens[token] = self.world.now + self.token_life
            return 200, {"access_token": token, "expires_in": self.token_life}
        token = headers["authorization"][7:]
        if token not in (USER_TOKEN, SERVICE_TOKEN) and self.tokens.get(token, 0.0) <= self.world.now:
            return 401, {"code": "bad.credentials"}
        parts = path.split("/")
        if token not in (USER_TOKEN, SERVICE_TOKEN) and parts[-1] in self.demands_user:
            return 400, {"code": "bad.request", "message": "This request requires a user context."}
        correlation = headers["inin-correlation-id"]
        if parts[3] == "cobrowse":
            return self._create(correlation, asked)
        if parts[4] == "webchat":
            return self._newest()
        if method == "PATCH":
            return self._disconnect(self.conversations[parts[5]], parts[9])
        return self._in_conversation(self.conversations[parts[4]], method, parts[5:], correlation, asked, body)

    def _in_conversation(
        self, conversation: Conversation, method: str, rest: list[str], correlation: str, asked: float, body: bytes
    ) -> tuple[int, object]:
        if method == "GET":
            return self._shown(conversation)
        left = conversation.left <= self.world.now and not self.invites_who_left
        if conversation.ended <= self.world.now or left or self.refuses == "attach":
            return (400 if self.refuses else 404), {"code": "refused"}
        if rest == ["cobrowse"]:
            return self._cobrowse(conversation, correlation, asked)
        return self._attach(conversation, correlation, orjson.loads(body))

    def heard(self, content: dict[str, str]) -> None:
        """A 201 came home: if it was for a session, its creator knows it now."""
        if content["id"] in self.sessions:
            self.sessions[content["id"]].heard = self.world.now

    def record_success(self, path: str, correlation: str, *, readable: bool) -> None:
        """A call with an effect was answered with a success: whatever it says, it is never made again."""
        if path == "/api/v2/cobrowse/sessions" and not readable:
            self.nameless.setdefault(correlation, self.world.now)
        _, found, rest = path.partition("/conversations/")
        if not found:
            return
        self.taken.add(correlation)
        if not readable:
            self.unread.setdefault(rest.partition("/")[0], []).append(self.world.now)

    def live(self, session: Session) -> bool:
        """Whether the customer could use it now."""
        return session.ended > self.world.now

    def _create(self, correlation: str, asked: float) -> tuple[int, object]:
        if "media" not in self.endpoints:
            return 404, {"code": "not.found"}
        if self.refuses == "create":
            return 400, {"code": "bad.request"}
        session = self._new("media", correlation, asked)
        return 201, {"id": session.id, "joinUrl": f"https://join/{session.id}"}

    def _attach(self, conversation: Conversation, correlation: str, medium: dict[str, str]) -> tuple[int, object]:
        session = self.sessions.get(medium["cobrowseSessionId"])
        usable = session is not None and self.live(session) and session.conversation in ("", conversation.id)
        if "media" not in self.endpoints or not usable or medium["type"] != "cobrowse":
            return 400, {"code": "bad.request"}
        self._invite(session, conversation, correlation)
        return 201, {"id": session.media_id, "state": "inviting"}

    def _cobrowse(self, conversation: Conversation, correlation: str, asked: float) -> tuple[int, object]:
        if "native" not in self.endpoints:
            return 404, {"code": "not.found"}
        if self.one_at_a_time and any(self.live(session) for session in conversation.sessions):
            return 409, {"code": "conflict"}
        session = self._new("native", correlation, asked)
        self._invite(session, conversation, correlation)
        answer = {"id": session.id, "joinCode": f"code-{session.id}"}
        return 200, answer | ({"dateOfferEnds": self._offer(session)} if self.hides_offers else {})

    def _disconnect(self, conversation: Conversation, communication: str) -> tuple[int, object]:
        """End one part of a session, and with it the session. One that is over already is not there any more."""
        found = next((one for one in conversation.sessions if one.media_id == communication and self.live(one)), None)
        if found is None or conversation.ended <= self.world.now:
            return 404, {"code": "not.found"}
        self._close(found)
        return 200, {}

    def _offer(self, session: Session) -> str:
        """Offer it: until when, as Genesys says it. The customer may accept, and it lapses if not."""
        random, seconds = self.world.random, self.world.random.choice((10.0, 40.0, 120.0))
        session.offered_until = self.world.now + seconds

        def accept() -> None:
            session.accepted = True

        if random.random() < 0.5:
            # Not in the moment that clocks are wrong by.
            self.world.at((seconds - 2 * WRONG) * random.random(), accept)
        self.world.at(seconds, lambda: None if session.accepted else self._close(session))
        return f"{START + timedelta(seconds=session.offered_until):%Y-%m-%dT%H:%M:%S.%fZ}"

    def hidden(self, session: Session) -> bool:
        """Whether its offer or its invitation is known of, so that the conversation need not show it."""
        if self.live(session) and self.world.now < session.unseen_until and self.stands_unseen(session):
            return True
        offered = self.live(session) and session.offered_until > self.world.now and not session.accepted
        return offered and self.on_record(session.id)

    def _new(self, flow: str, correlation: str, asked: float) -> Session:
        session = Session(f"session-{len(self.sessions) + 1}", flow, correlation, asked)
        self.sessions[session.id] = session
        self.world.note("created", session.id, correlation)
        return session

    def _invite(self, session: Session, conversation: Conversation, correlation: str) -> None:
        now = self.world.now
        session.invitations.append((now, correlation))
        self.world.note("invited", session.id, conversation.id, correlation)
        if session.conversation:
            return
        session.conversation, session.media_id = conversation.id, f"medium-{session.id[8:]}"
        session.seen_from = now + self.world.random.random() * self.lag
        if self.hides_invitations:
            session.unseen_until = now + self._dice.choice((5.0, 30.0, 55.0))
        conversation.sessions.append(session)
        if self.world.random.random() < self.sessions_end:
            self.world.at(self.world.between(0.5, 60.0), lambda: self._close(session))

    def _close(self, session: Session) -> None:
        if self.live(session):
            self.world.note("closed", session.id)
            session.ended = self.world.now

    def _newest(self) -> tuple[int, object]:
        now = self.world.now
        live = [{"id": name} for name, talk in self.conversations.items() if talk.ended > now and talk.kind == "chat"]
        return 200, {"entities": live[-1:]}

    def _shown(self, conversation: Conversation) -> tuple[int, object]:
        now = self.world.now
        sessions = (session for session in conversation.sessions if session.seen_from <= now)
        shown = [session for session in sessions if not self.hidden(session)]
        over = conversation.ended <= now
        if over and self.forgets_ended:
            return 404, {"code": "not.found"}
        state = "disconnected" if over else "connected"
        talk = {
            "id": "talk",
            "type": "webmessaging" if conversation.kind == "message" else conversation.kind,
            "state": state,
        }
        media = [self._medium(session) for session in shown]
        if "media" in self.endpoints:
            media = [talk, *({"type": "cobrowse"} | medium for medium in media)]
            persons = {"participants": self._persons(conversation, [])} if self.rings else {}
            return 200, {"id": conversation.id, "state": "disconnected" if over else "active", "media": media} | persons
        end = {"endTime": "2026-01-01T00:00:00Z"} if over else {}
        return 200, {"id": conversation.id, "participants": self._persons(conversation, media)} | end

    def _persons(self, conversation: Conversation, media: list[dict[str, str]]) -> list[dict[str, object]]:
        now = self.world.now
        kind = {"chat": "chats", "call": "calls", "message": "messages"}[conversation.kind]
        type_ = "webmessaging" if conversation.kind == "message" else conversation.kind
        over = min(conversation.left, conversation.ended) <= now
        states = {"customer": "disconnected" if over else "connected"}
        if self.rings:
            states["agent"] = "connected" if conversation.answered <= now else "alerting"
        return [
            {
                "id": purpose,
                "purpose": purpose,
                kind: [{"id": purpose, "type": type_, "state": state}],
                "cobrowsesessions": media,
            }
            for purpose, state in states.items()
        ]

    def _medium(self, session: Session) -> dict[str, str]:
        state = "connected" if self.live(session) else "disconnected"
        return {"id": session.media_id, "cobrowseSessionId": session.id, "state": state}
