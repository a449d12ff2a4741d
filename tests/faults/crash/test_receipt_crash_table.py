"""
A process killed at any call from the sign-in to the stored reply: the payer gets one mail, and nothing is lost.

``CRASH_POINTS=all`` kills at every call on both sides; otherwise every call around the final dot and some others, drawn
by ``CRASH_SEED``, which the run prints.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from devstack import servers
from tests.faults.crash.choice import SEED, trips
from tests.faults.crash.habits import be_too_busy_for_a_document, try_again_what_nobody_answered
from tests.faults.crash.receipt_process import PHASES, ReceiptLeft
from tests.faults.crash.receipt_table import DOT, Clinics, ReceiptOutcome, clinics, faults, is_open, until_noon_ms
from tests.faults.crash.wire import Call, Side, Trip

no_sigkill = pytest.mark.skipif(os.name == "nt", reason="SIGKILL and fork are POSIX")

MARK, STORED = Call("payment", "ledger: write delivery"), Call("payment", "ledger: write delivery")
CALLS = (Call("connect", "ledger: read identity"), MARK, Call("payment", DOT), Call("payment", "x"), STORED)
SOUND = ReceiptOutcome(
    trip=Trip(0, Side.BEFORE),
    call=CALLS[0],
    killed_at=CALLS[0],
    mails=1,
    left=ReceiptLeft(state="sent", asked=False, accepted_by_row=1),
)


@pytest.fixture(scope="module")
def world(azurite: servers.Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinics]:
    """Storage, the stand-in and a mail server."""
    with clinics(azurite, tmp_path_factory.mktemp("mail")) as opened:
        yield opened


@pytest.fixture(scope="module")
def calls(world: Clinics) -> Sequence[Call]:
    """The calls of a payment that nothing disturbs."""
    return world.calls()


@no_sigkill
def test_every_call_of_the_way_is_seen(calls: Sequence[Call]) -> None:
    """Sign-in, renewal, look, claim, both records of the send log, every SMTP command, one dot."""
    told = [call.what for call in calls]

    assert {call.phase for call in calls} == set(PHASES)
    assert told.count("conta azul: POST /oauth2/token") == 2
    assert told.count("ledger: write epoch, record") == 2
    smtp = [what.removeprefix("mail server: ") for what in told if what.startswith("mail server")]
    assert smtp[-5:] == ["MAIL", "RCPT", "DATA", "the body without its dot", "the final dot"]
    assert told[told.index(DOT) - 1] == "ledger: write delivery"


@no_sigkill
def test_a_receipt_is_mailed_once_wherever_its_process_is_killed(world: Clinics, calls: Sequence[Call]) -> None:
    """Counted in the mailbox; a person is asked only where the reply to the dot was lost."""
    killed = trips(calls, lambda trip: is_open(trip, calls))
    outcomes = world.spread(killed, calls)
    print(f"CRASH_SEED={SEED}: {len(killed)} of {2 * len(calls)} points")  # noqa: T201 -- pytest shows it on a failure

    assert [f"{one.trip} {one.call}: {fault}" for one in outcomes for fault in faults(one, calls)] == []
    assert any(one.left.asked for one in outcomes)


@no_sigkill
def test_the_table_sees_a_second_mail(world: Clinics, calls: Sequence[Call]) -> None:
    """A process that tries again what was marked mails twice, and the mailbox says so."""
    after_the_dot = Trip(next(at for at, call in enumerate(calls) if call.what == DOT) + 1, Side.BEFORE)
    outcome = world.outcome(after_the_dot, calls[after_the_dot.at], try_again_what_nobody_answered)

    assert list(faults(outcome, calls)) == ["2 mails"]


@no_sigkill
def test_a_machine_too_busy_to_check_a_document_holds_no_receipt(world: Clinics, calls: Sequence[Call]) -> None:
    """The document is checked again later: it was the machine that had no time, not the document that was bad."""
    found = Trip(next(at for at, call in enumerate(calls) if call.phase == "payment"), Side.BEFORE)
    outcome = world.outcome(found, calls[found.at], be_too_busy_for_a_document)

    assert list(faults(outcome, calls)) == []


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [
        (replace(SOUND, killed_at=None), "killed at None"),
        (replace(SOUND, mails=0), "0 mails"),
        (replace(SOUND, mails=2), "2 mails"),
        (replace(SOUND, left=replace(SOUND.left, state="ready")), "receipt ready"),
        (replace(SOUND, left=replace(SOUND.left, asked=True)), "a person was asked although the outcome was known"),
    ],
)
def test_the_table_names_what_is_wrong(outcome: ReceiptOutcome, fault: str) -> None:
    """A point that was not reached, no mail, two, a receipt left behind, a question that nobody had to answer."""
    assert list(faults(SOUND, CALLS)) == []
    assert list(faults(outcome, CALLS)) == [fault]


@pytest.mark.parametrize(("hour", "ahead"), [(0, 12), (11.5, 0.5), (12, 0), (13, 23)])
def test_the_table_begins_at_noon(hour: float, ahead: float) -> None:
    """In UTC, on any day: far from the nightly check, whenever it is run and however long it takes."""
    assert until_noon_ms(20_000 * 86_400 + hour * 3_600) == ahead * 3_600_000


def test_the_outcome_is_open_from_the_mark_to_the_stored_reply() -> None:
    """Not before the mark is stored, not once the reply is."""
    points = [Trip(at, side) for at in range(len(CALLS)) for side in Side]

    assert [trip for trip in points if is_open(trip, CALLS)] == points[3:9]
