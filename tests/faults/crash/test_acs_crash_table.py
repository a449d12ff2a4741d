"""
A process killed at any call around the post to a mail service: one mail, and nobody is asked what the service knows.

The service is the stand-in over HTTPS. It is asked about a mail by the operation id, which was stored before the post;
so a lost answer is known again, and a person decides only about what the service never got.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from devstack import servers
from devstack.acs.serve import acs
from devstack.acs.server import Acs
from tests.faults.crash.receipt_process import ReceiptJob
from tests.faults.crash.receipt_table import MARK, SENDER, Clinics, ReceiptOutcome, _payer, clinics
from tests.faults.crash.wire import Call, Side, Trip

POST = "mail service: POST /emails:send"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="SIGKILL and fork are POSIX")


@dataclass(frozen=True, kw_only=True)
class AcsClinics(Clinics):
    """Clinics whose mails a service carries."""

    service: Acs

    def _settings(self) -> dict[str, str]:
        kept = {name: value for name, value in super()._settings().items() if not name.startswith("SMTP_")}
        return kept | {"MAIL": "acs", "ACS_ENDPOINT": self.service.base_url, "SMTP_FROM": SENDER}

    def _mails(self, job: ReceiptJob) -> int:
        return sum(_payer(job) in taken.recipients for taken in self.service.taken)


@contextmanager
def service_of(world: Clinics) -> Iterator[Acs]:
    """Run the stand-in in a thread, certified by the authority that the processes trust."""
    loop, ready, over, found = asyncio.new_event_loop(), threading.Event(), asyncio.Event(), list[Acs]()

    async def serve() -> None:
        async with acs(world.mail.server_context()) as service:
            service.asks_before_end = 0
            found.append(service)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(30), "the stand-in did not start"
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(30)
        loop.close()


@pytest.fixture(scope="module")
def world(azurite: servers.Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AcsClinics]:
    """Storage, Conta Azul's stand-in, and the service."""
    with clinics(azurite, tmp_path_factory.mktemp("acs")) as opened, service_of(opened) as service:
        values = {name: getattr(opened, name) for name in opened.__dataclass_fields__}
        yield AcsClinics(**values, service=service)


def faults(outcome: ReceiptOutcome, post: int, mark: int) -> Iterator[str]:
    """Yield what is not as it must be after any crash."""
    if outcome.killed_at != outcome.call:
        yield f"killed at {outcome.killed_at}"
    if (outcome.mails, outcome.left.state) != (1, "sent"):
        yield f"{outcome.mails} mails, receipt {outcome.left.state}"
    marked = Trip(mark, Side.AFTER) == outcome.trip or mark < outcome.trip.at < post
    if outcome.left.asked != (marked or Trip(post, Side.BEFORE) == outcome.trip):
        yield "a person was asked about what the service knew" if outcome.left.asked else "nobody was asked"


def test_a_receipt_is_posted_once_wherever_its_process_is_killed(world: AcsClinics) -> None:
    """From the mark to the stored reply, at each side of each call."""
    calls = world.calls()
    post = next(at for at, call in enumerate(calls) if call.what == POST)
    mark = max(at for at in range(post) if calls[at].what == MARK)
    stored = next(at for at in range(post, len(calls)) if calls[at].what == MARK)
    assert [call.what for call in calls].count(POST) == 1

    outcomes = world.spread([Trip(at, side) for at in range(mark, stored + 1) for side in Side], calls)

    assert [f"{one.trip} {one.call}: {fault}" for one in outcomes for fault in faults(one, post, mark)] == []
    assert any(one.left.asked for one in outcomes)
    assert not all(one.left.asked for one in outcomes)


def test_the_table_names_what_is_wrong() -> None:
    """No mail, two, a question that nobody had to answer, and one that was not put."""
    from tests.faults.crash.test_receipt_crash_table import SOUND

    def named(changed: ReceiptOutcome) -> Sequence[str]:
        return list(faults(changed, post=5, mark=3))

    assert named(SOUND) == []
    assert named(replace(SOUND, mails=2)) == ["2 mails, receipt sent"]
    assert named(replace(SOUND, killed_at=None)) == ["killed at None"]
    assert named(replace(SOUND, left=replace(SOUND.left, asked=True))) == [
        "a person was asked about what the service knew"
    ]
    assert named(replace(SOUND, trip=Trip(3, Side.AFTER), killed_at=Call("connect", "ledger: read identity"))) == [
        "nobody was asked"
    ]
