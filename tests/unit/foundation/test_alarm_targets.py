"""What a target receives, in words and in fields."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import pytest
from aiohttp import web

from foundation.alarms.catalogue import AlarmKind, Severity, Text
from foundation.alarms.model import AlarmState, Fact, Message
from foundation.alarms.targets import (
    BrokenTarget,
    LogTarget,
    NotDelivered,
    PostTarget,
    discord,
    slack,
    teams,
    telegram,
)
from foundation.alarms.wording import TEXT_CHARS_MAX, document_of, message_text
from foundation.clock import UnixMs
from foundation.outgoing.addresses import parse_networks
from foundation.outgoing.guard import OutgoingGuard

KIND = AlarmKind(
    code="held_reverted",
    severity=Severity.CRITICAL,
    texts={
        "en": Text(summary="An order was refused.", action="Retry it."),
        "pt": Text(summary="Um pedido foi recusado.", action="Tente de novo."),
    },
)
FACTS = [
    Fact(code="held_reverted", subject="loja:1", detail="paused", since_ms=UnixMs(1)),
    Fact(code="held_reverted", subject="", detail="", since_ms=UnixMs(2)),
]
MESSAGE = Message(
    id="held_reverted:1:1:stands",
    kind=KIND,
    word=AlarmState.STANDS,
    since_ms=UnixMs(1),
    count=12,
    facts=FACTS,
    new=3,
    seen_by="ana",
)
ENDED = replace(MESSAGE, word=AlarmState.ENDED, facts=[], count=0, new=0, seen_by="", id="held_reverted:1:2:ended")


def test_a_post_says_it_in_words() -> None:
    """How many, the oldest ones, what to do, who knows."""
    assert document_of([MESSAGE], "BALLX payouts", "en")["text"] == (
        "BALLX payouts: CRITICAL: An order was refused. [held_reverted]\n"
        "how many: 12 (new: 3)\n- loja:1: paused\nTo do: Retry it.\nseen by: ana"
    )
    alone = replace(MESSAGE, count=1, facts=FACTS[:1], kind=replace(KIND, severity=Severity.WARNING), seen_by="")
    assert document_of([alone], "BALLX", "en")["text"] == (
        "BALLX: An order was refused. [held_reverted]\n- loja:1: paused\nTo do: Retry it."
    )
    assert document_of([ENDED], "BALLX", "pt")["text"] == "BALLX: encerrado: Um pedido foi recusado. [held_reverted]"


def test_a_post_says_it_in_fields() -> None:
    """Those of the worst at the top, and all of them in a list."""
    document = document_of([MESSAGE, ENDED], "BALLX", "pt")

    assert document["alarms"] == [
        {
            "code": "held_reverted",
            "summary": "Um pedido foi recusado. (12) paused",
            "action": "Tente de novo.",
            "subject": "loja:1",
            "id": "held_reverted:1:1:stands",
            "state": "stands",
            "severity": "critical",
            "since_ms": 1,
            "count": 12,
            "new": 3,
        },
        {
            "code": "held_reverted",
            "summary": "Um pedido foi recusado.",
            "action": "Tente de novo.",
            "subject": "",
            "id": "held_reverted:1:2:ended",
            "state": "ended",
            "severity": "critical",
            "since_ms": 1,
            "count": 0,
            "new": 0,
        },
    ]
    assert (document["code"], document["state"]) == ("held_reverted", "stands")


def test_a_long_story_is_cut() -> None:
    """Chat services refuse it otherwise."""
    long = replace(MESSAGE, facts=[replace(FACTS[0], detail="x" * 1_000)] * 20)

    text = document_of([long], "BALLX", "en")["text"]
    assert isinstance(text, str)
    assert len(text) == TEXT_CHARS_MAX
    assert text.endswith("…")


async def test_a_line_in_the_log_has_what_alert_rules_read(caplog: pytest.LogCaptureFixture) -> None:
    """An error while it is active, information when it ended."""
    caplog.set_level(logging.INFO)
    quiet = replace(MESSAGE, count=1, facts=FACTS[:1])

    await LogTarget().deliver([quiet, ENDED])

    first, second = caplog.records
    line = json.loads(first.message)
    assert first.levelname == "ERROR"
    assert {name: line[name] for name in ("event", "code", "summary", "action", "subject")} == {
        "event": "alarm",
        "code": "held_reverted",
        "summary": "An order was refused. paused",
        "action": "Retry it.",
        "subject": "loja:1",
    }
    assert (second.levelname, json.loads(second.message)["event"]) == ("INFO", "alarm_over")


class Hook:
    """A real server that takes posts."""

    def __init__(self) -> None:
        self.status, self.url, self.bodies = 200, "", list[dict[str, object]]()
        self.asked: list[str] = []

    async def take(self, request: web.Request) -> web.Response:
        """Keep the body, if there is one."""
        self.asked.append(request.method)
        if request.method == "GET":
            return web.Response(status=self.status)
        self.bodies.append(await request.json())
        return web.Response(status=self.status, headers={"Retry-After": "45"})


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    """A server on this machine."""
    found = Hook()
    application = web.Application()
    application.router.add_route("*", "/hook", found.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?key=secret"
    yield found
    await runner.cleanup()


def a_target(hook: Hook) -> PostTarget:
    """Return a target whose guard may ask this machine."""
    return PostTarget(guard=OutgoingGuard(inside=parse_networks("127.0.0.0/8")), url=hook.url, title="BALLX")


async def test_a_post_arrives(hook: Hook) -> None:
    """As JSON, once."""
    await a_target(hook).deliver([MESSAGE])

    (body,) = hook.bodies
    assert body["code"] == "held_reverted"
    assert "secret" not in repr(a_target(hook))


@pytest.mark.parametrize("status", [429, 500, 302, 404])
async def test_an_answer_that_is_no_success_is_not_delivered(hook: Hook, status: int) -> None:
    """Whatever it says about coming again; the address is not repeated."""
    hook.status = status

    with pytest.raises(NotDelivered, match=str(status)) as refused:
        await a_target(hook).deliver([MESSAGE])
    assert "secret" not in str(refused.value)


def test_each_chat_gets_its_own_document() -> None:
    """In the form it documents, no longer than it takes, and mentioning nobody."""
    named = replace(MESSAGE, facts=[replace(FACTS[0], detail="<!channel> a & b")])
    words = message_text([named], "BALLX", "en")

    assert slack([named], "BALLX", "en") == {
        "text": words.replace("&", "&amp;").replace("<!channel>", "&lt;!channel&gt;")
    }
    assert telegram("-1001")([named], "BALLX", "en") == {
        "chat_id": "-1001",
        "text": words,
        "link_preview_options": {"is_disabled": True},
    }
    long = replace(named, facts=[replace(FACTS[0], detail="x" * 300)] * 10)
    document = discord([long], "BALLX", "en")
    assert document["allowed_mentions"] == {"parse": []}
    assert len(str(document["content"])) == 2_000
    (attachment,) = cast("list[dict[str, Any]]", teams([named], "BALLX", "en")["attachments"])
    assert [block["text"] for block in attachment["content"]["body"]] == words.split("\n")


async def test_a_target_with_wrong_settings_says_so() -> None:
    """Nothing arrives, and why is known."""
    with pytest.raises(NotDelivered, match="must be an https URL"):
        await BrokenTarget("ALARM_SLACK_URL must be an https URL").deliver([MESSAGE])
