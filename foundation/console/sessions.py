"""
Who is signed in, as a signed cookie says: nothing is kept in a process.

So a session holds over every instance, over restarts, and over the rotation of the key while the key before it
is still configured. A personal token is exchanged for it once and is never in it. It ends half an hour after its
last use, eight hours after it began, and at once when the person's token changes or is taken away, or when
somebody signs everybody out: that moves the epoch on, which every session bears.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

from itsdangerous import BadData, URLSafeSerializer

from foundation.clock import Clock, UnixMs

IDLE_MS: Final = 30 * 60_000
"""A session that nobody uses for so long is over."""
LINK_MS: Final = 10 * 60_000
"""A link that signs in is good for so long."""
WHOLE_MS: Final = 8 * 3_600_000
"""A session is over so long after it began, used or not."""
_SALT = "console session"
_LINK_SALT = "console link"
_MARK_DIGITS = 32


class Role(StrEnum):
    """What a person may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenHolder:
    """Somebody with a personal token."""

    name: str
    role: Role
    token: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsoleSession:
    """A person who is signed in, on one browser."""

    key: str
    """Tells this session from every other one; forms are bound to it."""
    name: str
    mark: str
    """What is remembered of the token: enough to notice another one; without the key nobody can try tokens on it."""
    language: str
    began_ms: UnixMs
    seen_ms: UnixMs
    role: Role = Role.VIEWER
    """As the settings say now; it is not in the cookie."""

    @property
    def may_act(self) -> bool:
        return self.role is Role.OPERATOR


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInLink:
    """A link that signs *person* in. Before a person is let in, store that links made until *made_ms* are used."""

    person: TokenHolder
    made_ms: UnixMs


@dataclass(frozen=True, kw_only=True, slots=True)
class Sessions:
    """
    Sessions as cookies.

    Args:
        keys: What signs them: the newest first, then the one before, which is still accepted.
        people: Everybody who may sign in, by name.
        clock: The time.
        epoch: Sessions of another one are over.
    """

    keys: Sequence[str]
    people: Mapping[str, TokenHolder]
    clock: Clock
    epoch: int = 0

    def sign_in(self, token: str, language: str) -> ConsoleSession | None:
        """Return a new session of the person whose token this is; None if it is nobody's."""
        given = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = None
        for person in self.people.values():
            if hmac.compare_digest(hashlib.sha256(person.token.encode()).digest(), given):
                found = person
        return self.begin(found, language) if found else None

    def begin(self, person: TokenHolder, language: str) -> ConsoleSession:
        """Return a new session of *person*, who has proved who they are."""
        now = self.clock()
        return ConsoleSession(
            key=secrets.token_hex(16),
            name=person.name,
            mark=self._mark(person, self.keys[0]),
            role=person.role,
            language=language,
            began_ms=now,
            seen_ms=now,
        )

    def link(self, name: str) -> str:
        """Return what signs *name* in for ten minutes, without a token; made by who knows the key."""
        made = [name, self._mark(self.people[name], self.keys[0]), self.clock()]
        return str(serializer(self.keys, _LINK_SALT).dumps(made))

    def invited(self, link: str) -> SignInLink | None:
        """Return the person *link* signs in; None unless we signed it, it is young, and their token is the same."""
        try:
            name, mark, made_ms = serializer(self.keys, _LINK_SALT).loads(link)
        except (BadData, TypeError, ValueError):
            return None
        person, age_ms = self.people.get(name), self.clock() - made_ms
        if person is None or not self._remembers(mark, person) or not 0 <= age_ms <= LINK_MS:
            return None
        return SignInLink(person=person, made_ms=UnixMs(made_ms))

    def cookie(self, session: ConsoleSession) -> str:
        """Return *session* as text, signed, last used now."""
        fields = asdict(replace(session, seen_ms=self.clock()))
        del fields["role"]
        return self._serializer().dumps(fields)

    def read(self, cookie: str) -> ConsoleSession | None:
        """Return the session of *cookie*; None unless it was signed by us and is not over. Total."""
        try:
            session = _session(self._serializer().loads(cookie))
        except (BadData, TypeError):
            return None
        person = self.people.get(session.name)
        if person is None or not self._remembers(session.mark, person):
            return None
        now = self.clock()
        if now - session.seen_ms > IDLE_MS or now - session.began_ms > WHOLE_MS:
            return None
        return replace(session, role=person.role, mark=self._mark(person, self.keys[0]))

    def _remembers(self, mark: str, person: TokenHolder) -> bool:
        return any(hmac.compare_digest(self._mark(person, key), mark) for key in self.keys)

    def _mark(self, person: TokenHolder, key: str) -> str:
        content = f"console token\0{self.epoch}\0{person.token}"
        return hmac.new(key.encode(), content.encode(), "sha256").hexdigest()[:_MARK_DIGITS]

    def _serializer(self) -> URLSafeSerializer:
        return serializer(self.keys, _SALT)


def serializer(keys: Sequence[str], salt: str) -> URLSafeSerializer:
    """
    Return what signs with the first of *keys* and accepts each of them.

    Source: https://itsdangerous.palletsprojects.com/en/2.2.x/concepts/#key-rotation (the newest key comes last there)
    """
    return URLSafeSerializer(
        list(reversed(keys)),
        salt=salt,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def _session(fields: Any) -> ConsoleSession:
    """Return a session from what was signed. Raises TypeError where another version signed other fields."""
    return ConsoleSession(**fields)
