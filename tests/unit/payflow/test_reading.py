"""What comes of reading an instalment: every row of the table of edits, undone and recreated payments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from foundation.clock import UnixMs
from payflow.looking import reading
from payflow.looking.reading import KnownBefore
from payflow.looking.recreated import RECREATED_WITHIN_MS, Recreation, judge, must_be_asked_for
from payflow.model import (
    Baixa,
    BaixaId,
    Centavos,
    Composition,
    Customer,
    CustomerId,
    InstalmentDetail,
    InstalmentId,
    ListedInstalment,
)
from payflow.progress import Instalment
from payflow.state import After, Reason, Receipt, ReceiptState
from tests.fakes.payflow import COMPANY, NOW, a_receipt, an_instalment

ANA = Customer(id=CustomerId("c1"), name="Dra. Ana Canária")
PAID = Centavos(150_000)
BOUND = UnixMs(NOW - 3_600_000)


def a_baixa(baixa: str = "b1", **changes: Any) -> Baixa:
    """Return a payment booked just now."""
    made = Baixa(
        id=BaixaId(baixa),
        instalment=InstalmentId("p1"),
        revision=1,
        paid_on="2026-01-01",
        composition=Composition(gross=PAID),
        method="PIX",
        updated_ms=NOW,
    )
    return replace(made, **changes)


def listed(**changes: Any) -> ListedInstalment:
    """Return an instalment as the list shows it."""
    item = ListedInstalment(
        id=InstalmentId("p1"),
        changed="2026-01-01T06:41:00",
        paid=PAID,
        customer=ANA,
        description="",
        due_on="2026-01-01",
    )
    return replace(item, **changes)


def read(
    *baixas: Baixa,
    known: tuple[Receipt, ...] = (),
    row: Instalment | None = None,
    item: ListedInstalment | None = None,
    undone: tuple[str, ...] = (),
    **detail: Any,
) -> reading.Reading:
    """Read an instalment."""
    asked = KnownBefore(company=COMPANY, baseline_ms=BOUND, listed=item or listed(), row=row, known=known)
    shown = InstalmentDetail(id=InstalmentId("p1"), baixas=baixas, **detail)
    return reading.read_detail(asked, shown, {BaixaId(baixa) for baixa in undone}, NOW)


def test_each_payment_is_one_receipt() -> None:
    """Two halves are two, and together they are the list's sum."""
    half = Composition(gross=Centavos(75_000))

    got = read(a_baixa("b1", composition=half), a_baixa("b2", composition=half))

    assert [receipt.baixa for receipt in got.found] == ["b1", "b2"]
    assert {receipt.state for receipt in got.found} == {ReceiptState.FOUND}
    assert got.instalment == replace(an_instalment(), changed="2026-01-01T06:41:00")


def test_a_payment_shown_twice_is_one() -> None:
    """Whatever the API does."""
    assert len(read(a_baixa(), a_baixa()).found) == 1


def test_it_is_worked_only_if_the_payments_add_up() -> None:
    """The detail may be behind the list (R4-4)."""
    got = read(row=an_instalment(paid=0, reads=2))

    assert (got.instalment.worked, got.instalment.reads, got.found) == (False, 3, [])


@pytest.mark.parametrize(
    "composition",
    [
        Composition(gross=PAID, discount=Centavos(1_000)),
        Composition(gross=PAID, fine=Centavos(1_000), fee=Centavos(200)),
        Composition(gross=Centavos(140_000), fine=Centavos(10_000)),
        Composition(gross=Centavos(150_100), fee=Centavos(100)),
        Composition(gross=Centavos(149_000), discount=Centavos(1_000)),
    ],
)
def test_gross_or_net_both_add_up(composition: Composition) -> None:
    """Which of them ``pago`` is the sum of is not known."""
    assert read(a_baixa(composition=composition)).instalment.worked


def test_the_customer_of_the_detail_is_used_where_the_list_has_none() -> None:
    """Whether the detail has one is not known."""
    internal = listed(customer=Customer(id=CustomerId(""), name=""))

    assert read(a_baixa(), item=internal, customer=ANA).found[0].customer == "c1"
    assert read(a_baixa(), item=internal).found[0].customer == ""


@pytest.mark.parametrize(
    ("baixa", "is_income"), [(a_baixa(), False), (a_baixa(composition=Composition(gross=Centavos(0))), True)]
)
def test_what_is_no_payment_gets_no_receipt(baixa: Baixa, is_income: bool) -> None:
    """An expense, or nothing at all: a row, so that it is not asked again, and no mail."""
    (receipt,) = read(baixa, is_income=is_income).found

    assert (receipt.state, receipt.reason) == (ReceiptState.SKIPPED, Reason.NOT_A_PAYMENT)


IN_BASELINE = an_instalment(in_baseline=True, paid=Centavos(1))


@pytest.mark.parametrize(
    ("baixa", "row", "state", "reason"),
    [
        (a_baixa(updated_ms=UnixMs(BOUND - 1)), IN_BASELINE, ReceiptState.SKIPPED, Reason.BEFORE_CONNECTION),
        (a_baixa(updated_ms=UnixMs(BOUND + 1)), IN_BASELINE, ReceiptState.FOUND, None),
        (a_baixa(revision=2), IN_BASELINE, ReceiptState.HELD, Reason.MAYBE_BEFORE_CONNECTION),
        (a_baixa(updated_ms=None), IN_BASELINE, ReceiptState.HELD, Reason.MAYBE_BEFORE_CONNECTION),
        (a_baixa(updated_ms=None), None, ReceiptState.FOUND, None),
        (a_baixa(updated_ms=UnixMs(BOUND - 60_000)), None, ReceiptState.FOUND, None),
        (a_baixa(updated_ms=UnixMs(BOUND - 3_600_000)), None, ReceiptState.HELD, Reason.MAYBE_BEFORE_CONNECTION),
        (a_baixa(revision=3), None, ReceiptState.FOUND, None),
    ],
)
def test_the_payments_own_stamp_tells_old_from_new(
    baixa: Baixa, row: Instalment | None, state: ReceiptState, reason: Reason | None
) -> None:
    """An old payment of an instalment that is paid on later is not mailed, a new one is not lost (R4-6)."""
    (receipt,) = read(baixa, row=row).found

    assert (receipt.state, receipt.reason) == (state, reason)


# Edited ----------------------------------------------------------------------------------------------

MORE = a_baixa(revision=2, composition=Composition(gross=Centavos(160_000)))


@pytest.mark.parametrize("state", [ReceiptState.FOUND, ReceiptState.WAITING_DOCUMENT, ReceiptState.READY])
def test_an_edit_before_the_mail_begins_anew(state: ReceiptState) -> None:
    """Another amount needs another document."""
    known = a_receipt(state=state, document_sha256="x", document_source="erp", asks=3, due_ms=UnixMs(1))

    ((before, after),) = read(MORE, known=(known,)).changed

    assert before is known
    assert (after.state, after.amount, after.revision) == (ReceiptState.FOUND, 160_000, 2)
    assert (after.document_sha256, after.asks, after.due_ms) == ("", 0, NOW)


def test_another_customer_is_an_edit() -> None:
    """The receipt must not go to the one before."""
    item = listed(customer=Customer(id=CustomerId("c2"), name="Bia"))

    ((_, after),) = read(a_baixa(), known=(a_receipt(state=ReceiptState.READY),), item=item).changed

    assert (after.customer, after.state) == ("c2", ReceiptState.FOUND)


@pytest.mark.parametrize("state", [ReceiptState.SENT, ReceiptState.UNKNOWN, ReceiptState.REFUSED])
def test_an_edit_after_the_mail_is_a_flag(state: ReceiptState) -> None:
    """A correction is a person's act; what was sent stays on record."""
    ((_, after),) = read(MORE, known=(a_receipt(state=state),)).changed

    assert (after.state, after.after, after.amount, after.revision) == (state, After.CHANGED, PAID, 2)


@pytest.mark.parametrize("state", [ReceiptState.READY, ReceiptState.SENT])
def test_a_new_revision_alone_is_no_edit(state: ReceiptState) -> None:
    """The document's arrival may raise it."""
    ((_, after),) = read(a_baixa(revision=2), known=(a_receipt(state=state),)).changed

    assert (after.state, after.after, after.revision) == (state, None, 2)


def test_nothing_new_changes_nothing() -> None:
    """Read again and again."""
    got = read(a_baixa(), known=(a_receipt(),))

    assert (got.found, got.changed, got.instalment.worked) == ([], [], True)


def test_an_edited_old_payment_is_one_task() -> None:
    """A person tells an edit from a booking."""
    old = a_receipt(state=ReceiptState.SKIPPED, reason=Reason.BEFORE_CONNECTION)

    ((_, after),) = read(MORE, known=(old,)).changed

    assert (after.state, after.reason) == (ReceiptState.HELD, Reason.MAYBE_BEFORE_CONNECTION)


@pytest.mark.parametrize("state", [ReceiptState.HELD, ReceiptState.SKIPPED, ReceiptState.WITHDRAWN])
def test_what_waits_or_has_ended_only_learns_the_amount(state: ReceiptState) -> None:
    """Its reason stays."""
    ((_, after),) = read(MORE, known=(a_receipt(state=state, reason=Reason.NO_RECIPIENT),)).changed

    assert (after.state, after.reason, after.amount) == (state, Reason.NO_RECIPIENT, 160_000)


def test_a_mail_on_its_way_is_left_alone() -> None:
    """Its sender holds the row; the instalment is read again."""
    known = a_receipt(state=ReceiptState.SENDING)

    edited, undone = read(MORE, known=(known,)), read(known=(known,), undone=("b1",), item=listed(paid=Centavos(0)))

    assert edited.changed == undone.changed == []
    assert not edited.instalment.worked
    assert not undone.instalment.worked


# Undone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "expected", "after"),
    [
        (ReceiptState.FOUND, ReceiptState.WITHDRAWN, None),
        (ReceiptState.WAITING_DOCUMENT, ReceiptState.WITHDRAWN, None),
        (ReceiptState.READY, ReceiptState.WITHDRAWN, None),
        (ReceiptState.HELD, ReceiptState.WITHDRAWN, None),
        (ReceiptState.SENT, ReceiptState.SENT, After.UNDONE),
        (ReceiptState.UNKNOWN, ReceiptState.UNKNOWN, None),
        (ReceiptState.REFUSED, ReceiptState.WITHDRAWN, None),
        (ReceiptState.COVERED, ReceiptState.COVERED, None),
    ],
)
def test_an_undone_payment_is_withdrawn_or_flagged(
    state: ReceiptState, expected: ReceiptState, after: After | None
) -> None:
    """Before its mail, or after it."""
    ((_, new),) = read(known=(a_receipt(state=state),), undone=("b1",), item=listed(paid=Centavos(0))).changed

    assert (new.state, new.after, new.gone) == (expected, after, True)


def test_a_payment_the_detail_hides_is_not_undone() -> None:
    """It was asked for alone and is there: the detail is behind."""
    got = read(known=(a_receipt(),))

    assert (got.changed, got.instalment.worked) == ([], False)


def test_what_is_gone_is_not_asked_for_again() -> None:
    """Nor does a detail that is behind bring it back."""
    gone = a_receipt(state=ReceiptState.WITHDRAWN, gone=True)
    detail = InstalmentDetail(id=InstalmentId("p1"), baixas=(a_baixa("b2"),))

    assert reading.missing(detail, (gone, a_receipt("b2"), a_receipt("b3"))) == ["b3"]
    assert read(MORE, known=(gone,)).changed == []


# Recreated -------------------------------------------------------------------------------------------


def test_the_same_payment_again_is_covered() -> None:
    """Undone and booked again within the same look."""
    got = read(a_baixa("b2"), known=(a_receipt(state=ReceiptState.SENT),), undone=("b1",))

    (receipt,) = got.found
    assert (receipt.state, receipt.reason) == (ReceiptState.COVERED, Reason.RECREATED)


def test_another_amount_again_is_held() -> None:
    """Perhaps a correction; a person decides."""
    got = read(
        a_baixa("b2", composition=Composition(gross=Centavos(1))),
        known=(a_receipt(state=ReceiptState.SENT),),
        undone=("b1",),
    )

    assert (got.found[0].state, got.found[0].reason) == (ReceiptState.HELD, Reason.MAYBE_RECREATED)


def test_one_vanished_mail_covers_one_payment() -> None:
    """Of two equal ones, the second is another payment."""
    got = read(a_baixa("b2"), a_baixa("b3"), known=(a_receipt(state=ReceiptState.SENT),), undone=("b1",))

    assert [receipt.state for receipt in got.found] == [ReceiptState.COVERED, ReceiptState.FOUND]


SENT_AND_GONE = a_receipt("b0", state=ReceiptState.SENT, gone=True)


@pytest.mark.parametrize(
    ("siblings", "expected"),
    [
        ((), Recreation.NEW),
        ((a_receipt("b0", state=ReceiptState.SENT),), Recreation.NEW),
        ((SENT_AND_GONE,), Recreation.COVERED),
        ((replace(SENT_AND_GONE, paid_on="2025-12-31"),), Recreation.HELD),
        ((replace(SENT_AND_GONE, customer=CustomerId("c9")),), Recreation.HELD),
        ((replace(SENT_AND_GONE, changed_ms=UnixMs(NOW - RECREATED_WITHIN_MS - 1)),), Recreation.NEW),
        ((a_receipt("b0", state=ReceiptState.UNKNOWN, gone=True),), Recreation.HELD),
        ((a_receipt("b0", state=ReceiptState.REFUSED, gone=True),), Recreation.HELD),
        ((a_receipt("b0", state=ReceiptState.SENDING),), Recreation.WAIT),
        ((a_receipt("b0", state=ReceiptState.WITHDRAWN, gone=True),), Recreation.NEW),
        (
            (SENT_AND_GONE, a_receipt("b2", state=ReceiptState.COVERED, reason=Reason.RECREATED, gone=True)),
            Recreation.COVERED,
        ),
        (
            (SENT_AND_GONE, a_receipt("b2", state=ReceiptState.COVERED, reason=Reason.RECREATED)),
            Recreation.NEW,
        ),
        ((SENT_AND_GONE, a_receipt("b2", state=ReceiptState.SENT, decided_by="office")), Recreation.NEW),
        ((SENT_AND_GONE, a_receipt("b2", state=ReceiptState.SENT)), Recreation.COVERED),
    ],
)
def test_only_a_vanished_payment_can_be_recreated(siblings: tuple[Receipt, ...], expected: Recreation) -> None:
    """The table of what became of the others."""
    assert judge(a_receipt("b1"), (*siblings, a_receipt("b1")), NOW) is expected


def test_before_the_claim_the_others_are_asked_for() -> None:
    """Those whose mail went out, or may have, and of which nobody knows that they are gone."""
    siblings = (
        a_receipt("b1", state=ReceiptState.SENT),
        a_receipt("b2", state=ReceiptState.SENT),
        a_receipt("b3", state=ReceiptState.UNKNOWN),
        a_receipt("b4", state=ReceiptState.SENT, gone=True),
        a_receipt("b5"),
        a_receipt("b6", state=ReceiptState.HELD),
        a_receipt("b7", state=ReceiptState.REFUSED),
    )

    asked = [other.baixa for other in must_be_asked_for(a_receipt("b1"), siblings)]
    assert asked == ["b2", "b3", "b6", "b7"]


# Which are read --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "row", "expected"),
    [
        (listed(), None, True),
        (listed(paid=Centavos(0)), None, False),
        (listed(changed="2026-01-01T06:40:00"), an_instalment(), False),
        (listed(), an_instalment(), True),
        (listed(changed="2026-01-01T06:40:00", paid=Centavos(1)), an_instalment(), True),
        (listed(changed="2026-01-01T06:40:00"), an_instalment(worked=False), True),
    ],
)
def test_only_news_is_read(item: ListedInstalment, row: Instalment | None, expected: bool) -> None:
    """One detail for each instalment that changed."""
    assert reading.must_be_read(item, row) is expected


def test_an_instalment_that_cannot_be_read_becomes_a_row() -> None:
    """The cursor never passes an invalid item."""
    got = reading.unread(KnownBefore(company=COMPANY, baseline_ms=BOUND, listed=listed(), row=None, known=()))

    assert (got.instalment.worked, got.instalment.reads, got.instalment.paid) == (False, 1, PAID)


def test_what_is_read_again_is_taken_as_it_was_listed() -> None:
    """Also where no list shows it any more."""
    item = reading.as_listed(an_instalment())

    assert (item.id, item.changed, item.paid, item.customer) == ("p1", "2026-01-01T06:40:00", PAID, ANA)
