"""A session is a signed cookie: whose it is, when it ends, and that no form acts twice or for somebody else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace

import pytest

from foundation.console.forms import Forms, Purpose
from foundation.console.sessions import IDLE_MS, WHOLE_MS, ConsoleSession, Role, Sessions, TokenHolder
from tests.fakes.clock import FrozenClock

KEY, OLDER = "k" * 32, "o" * 32
ANA = TokenHolder(name="ana", role=Role.OPERATOR, token="a" * 32)
PURPOSE = Purpose("retry", "default:1", "etag-1")


@pytest.fixture
def clock() -> FrozenClock:
    """Does not move."""
    return FrozenClock()


def sessions(clock: FrozenClock, keys: Sequence[str] = (KEY,), *people: TokenHolder) -> Sessions:
    """Return the sessions of one instance."""
    return Sessions(keys=keys, people={each.name: each for each in people or (ANA,)}, clock=clock)


def signed_in(clock: FrozenClock, keys: Sequence[str] = (KEY,)) -> tuple[str, ConsoleSession]:
    """Sign ana in; return the cookie and the session."""
    found = sessions(clock, keys)
    session = found.sign_in(ANA.token, "pt")
    assert session is not None
    return found.cookie(session), session


def test_a_session_holds_over_every_instance_and_carries_no_token(clock: FrozenClock) -> None:
    """Another process with the same settings reads it; what is in it can be read by anybody."""
    cookie, session = signed_in(clock)

    assert sessions(clock).read(cookie) == session
    assert (session.name, session.language, session.may_act) == ("ana", "pt", True)
    payload = cookie.rpartition(".")[0]
    inside = base64.urlsafe_b64decode(payload.lstrip(".") + "=" * (-len(payload.lstrip(".")) % 4))
    assert ANA.token.encode() not in inside


@pytest.mark.parametrize("token", ["", "a" * 31, "A" * 32, "ação \udcff"])
def test_nobody_elses_token_signs_in(clock: FrozenClock, token: str) -> None:
    """Also one that is no text that can be encoded."""
    assert sessions(clock).sign_in(token, "en") is None


def test_a_session_ends_half_an_hour_after_its_last_use(clock: FrozenClock) -> None:
    """Each use gives a newer cookie; the older one ends by itself."""
    cookie, session = signed_in(clock)
    clock.advance(IDLE_MS)
    newer = sessions(clock).cookie(session)
    clock.advance(1)

    assert sessions(clock).read(cookie) is None
    assert sessions(clock).read(newer) is not None


def test_a_session_ends_after_eight_hours_of_use(clock: FrozenClock) -> None:
    """However often it is used."""
    cookie, _session = signed_in(clock)
    lasted_ms = 0
    while (session := sessions(clock).read(cookie)) is not None:
        cookie = sessions(clock).cookie(session)
        clock.advance(IDLE_MS // 2)
        lasted_ms += IDLE_MS // 2

    assert WHOLE_MS < lasted_ms <= WHOLE_MS + IDLE_MS


def test_who_loses_or_changes_the_token_is_signed_out_at_once(clock: FrozenClock) -> None:
    """On every browser; and a role that is taken away is gone with the next request."""
    cookie, _session = signed_in(clock)
    other = TokenHolder(name="ana", role=Role.OPERATOR, token="b" * 32)
    viewer = TokenHolder(name="ana", role=Role.VIEWER, token=ANA.token)

    assert sessions(clock, (KEY,), TokenHolder(name="joao", role=Role.OPERATOR, token=ANA.token)).read(cookie) is None
    assert sessions(clock, (KEY,), other).read(cookie) is None
    now = sessions(clock, (KEY,), viewer).read(cookie)
    assert now is not None
    assert not now.may_act


def test_sessions_and_forms_go_on_while_the_key_is_rotated(clock: FrozenClock) -> None:
    """Signed before it, read after it while the old key is still set; signed after it with the new one alone."""
    cookie, session = signed_in(clock, (OLDER,))
    form = Forms(keys=(OLDER,), clock=clock).token(session, PURPOSE)

    renewed = sessions(clock, (KEY, OLDER)).read(cookie)
    assert renewed is not None
    assert (renewed.key, renewed.name) == (session.key, session.name)
    assert Forms(keys=(KEY, OLDER), clock=clock).allows(form, session, PURPOSE)
    assert sessions(clock, (KEY,)).read(cookie) is None
    assert sessions(clock, (KEY,)).read(sessions(clock, (KEY, OLDER)).cookie(renewed)) == renewed


def test_a_new_epoch_signs_everybody_out(clock: FrozenClock) -> None:
    """On every browser; who signs in then is in."""
    cookie, _session = signed_in(clock)
    later = replace(sessions(clock), epoch=1)
    again = later.sign_in(ANA.token, "en")

    assert later.read(cookie) is None
    assert again is not None
    assert later.read(later.cookie(again)) == again
    assert sessions(clock).read(later.cookie(again)) is None


@pytest.mark.parametrize("spoilt", ["", ".", "a.b", "é", "{}.x"])
def test_what_we_did_not_sign_is_nobody(clock: FrozenClock, spoilt: str) -> None:
    """Empty, cut, invented; never an exception."""
    cookie, _session = signed_in(clock)

    for each in (spoilt, cookie + "x", cookie[1:], cookie.upper()):
        assert sessions(clock).read(each) is None


def test_what_another_version_signed_is_nobody(clock: FrozenClock) -> None:
    """With other fields than ours: the person signs in again."""
    for fields in ({"name": "ana"}, ["ana"], "ana", 7, None):
        assert sessions(clock).read(str(sessions(clock)._serializer().dumps(fields))) is None


def test_a_form_acts_for_its_own_session_purpose_and_version_alone(clock: FrozenClock) -> None:
    """Another person's, another act, another order, the same order once it was written: none of them."""
    _cookie, mine = signed_in(clock)
    _other, yours = signed_in(clock)
    forms = Forms(keys=(KEY,), clock=clock)
    token = forms.token(mine, PURPOSE)

    assert forms.allows(token, mine, PURPOSE)
    assert not forms.allows(token, yours, PURPOSE)
    for purpose in (
        PURPOSE._replace(act="cancel"),
        PURPOSE._replace(subject="b:1"),
        PURPOSE._replace(version="etag-2"),
    ):
        assert not forms.allows(token, mine, purpose)


def test_a_form_ends_after_half_an_hour(clock: FrozenClock) -> None:
    """A page that stood open over night acts on nothing."""
    _cookie, session = signed_in(clock)
    forms = Forms(keys=(KEY,), clock=clock)
    token = forms.token(session, PURPOSE)
    clock.advance(IDLE_MS)
    assert forms.allows(token, session, PURPOSE)

    clock.advance(1)

    assert not forms.allows(token, session, PURPOSE)


def test_a_session_is_no_form_and_a_form_no_session(clock: FrozenClock) -> None:
    """Both are signed with one key, each for its own use."""
    cookie, session = signed_in(clock)
    forms = Forms(keys=(KEY,), clock=clock)

    assert not forms.allows(cookie, session, PURPOSE)
    assert not forms.allows("", session, PURPOSE)
    assert sessions(clock).read(forms.token(session, PURPOSE)) is None
