"""
What comes of reading one instalment: new receipts, changed ones, and whether it is worked.

It is worked only if the payments read add up to the list's ``pago`` (R4-4), because the detail may be behind the
list. The list's values are those from before the detail was asked for. Everything of one reading is stored in one
group, on the version of the instalment's row (R4-5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from foundation.clock import UnixMs
from payflow.looking.changed import edited, vanished
from payflow.looking.recreated import Recreation, judge
from payflow.model import (
    Baixa,
    BaixaId,
    Centavos,
    CompanyId,
    Customer,
    InstalmentDetail,
    ListedInstalment,
)
from payflow.progress import Instalment
from payflow.state import Reason, Receipt, ReceiptState

SKEW_MS: Final = 600_000
"""So far Conta Azul's clock may be behind ours when it stamps a payment."""
READS_MAX: Final = 5
"""After so many readings that did not add up, an instalment is read each hour, and there is an alarm."""
_NONE: Final[Mapping[BaixaId, ReceiptState]] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownBefore:
    """What was known before the detail was asked for."""

    company: CompanyId
    baseline_ms: UnixMs
    listed: ListedInstalment
    row: Instalment | None
    known: Sequence[Receipt]
    """Every receipt of the instalment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What is stored of one reading."""

    instalment: Instalment
    found: Sequence[Receipt]
    changed: Sequence[tuple[Receipt, Receipt]]


def must_be_read(listed: ListedInstalment, row: Instalment | None) -> bool:
    """Say whether an instalment may have payments we have not seen, or lost some we have."""
    if row is None:
        return listed.paid > 0
    return not row.worked or (listed.changed, listed.paid) != (row.changed, row.paid)


def missing(detail: InstalmentDetail, known: Sequence[Receipt]) -> Sequence[BaixaId]:
    """Return payments we know that the detail does not show: each is asked for alone before it counts as undone."""
    there = {baixa.id for baixa in detail.baixas}
    return [receipt.baixa for receipt in known if not receipt.gone and receipt.baixa not in there]


def read_detail(
    asked: KnownBefore,
    detail: InstalmentDetail,
    undone: Collection[BaixaId],
    now: UnixMs,
    *,
    mailed: Mapping[BaixaId, ReceiptState] = _NONE,
    partly: Collection[BaixaId] = (),
) -> Reading:
    """
    Return what comes of *detail*.

    Args:
        asked: What was known before.
        detail: The instalment as the API showed it.
        undone: Payments of ``missing`` of which the API says that they no longer exist.
        now: The time.
        mailed: Those of *undone* that wait, although a mail of them went out: SENT, or UNKNOWN.
        partly: Receipts that are held, although one of their addresses has the mail.
    """
    changed = list(_changed(asked, detail, {baixa: mailed.get(baixa) for baixa in undone}, partly, now))
    after = {receipt.baixa: receipt for receipt in asked.known} | {new.baixa: new for _, new in changed}
    found = list(_found(asked, detail, [*after.values()], now))
    busy = any(receipt.state is ReceiptState.SENDING for receipt in asked.known)
    lagging = len(missing(detail, asked.known)) > len(undone)
    worked = adds_up(detail.baixas, asked.listed.paid) and not busy and not lagging
    return Reading(instalment=_row(asked, detail, worked=worked), found=found, changed=changed)


def adds_up(baixas: Sequence[Baixa], paid: Centavos) -> bool:
    """
    Say whether *baixas* are all that ``pago`` is the sum of.

    Whether it is of gross or net amounts where there are discounts, fines or fees is not known: any will do.
    """
    parts = [baixa.composition for baixa in baixas]
    sums = (
        sum(part.gross for part in parts),
        sum(part.paid for part in parts),
        sum(part.paid - part.fee for part in parts),
        sum(part.gross + part.discount for part in parts),
    )
    return paid in sums


def unread(asked: KnownBefore) -> Reading:
    """Return what is stored of an instalment whose detail could not be read: it is asked for again."""
    return Reading(instalment=_row(asked, None, worked=False), found=(), changed=())


def as_listed(row: Instalment) -> ListedInstalment:
    """Return an instalment that is read again as the list showed it last."""
    return ListedInstalment(
        id=row.id,
        changed=row.changed,
        paid=row.paid,
        customer=Customer(id=row.customer, name=row.customer_name),
        description="",
        due_on="",
    )


# Inside ----------------------------------------------------------------------------------------------


def _row(asked: KnownBefore, detail: InstalmentDetail | None, *, worked: bool) -> Instalment:
    customer = _customer(asked, detail)
    before = asked.row or Instalment(
        id=asked.listed.id,
        changed="",
        paid=Centavos(0),
        worked=True,
        customer=customer.id,
        customer_name=customer.name,
        in_baseline=False,
    )
    return replace(
        before,
        changed=asked.listed.changed,
        paid=asked.listed.paid,
        worked=worked,
        customer=customer.id,
        customer_name=customer.name,
        reads=0 if worked else before.reads + 1,
    )


def _customer(asked: KnownBefore, detail: InstalmentDetail | None) -> Customer:
    shown = detail.customer if detail else None
    return asked.listed.customer if asked.listed.customer.id or not shown else shown


def _found(asked: KnownBefore, detail: InstalmentDetail, siblings: Sequence[Receipt], now: UnixMs) -> Iterator[Receipt]:
    known, seen = {receipt.baixa for receipt in asked.known}, [*siblings]
    for baixa in detail.baixas:
        if baixa.id not in known:
            known.add(baixa.id)
            receipt = _new(asked, detail, baixa, seen, now)
            seen.append(receipt)
            yield receipt


def _new(
    asked: KnownBefore, detail: InstalmentDetail, baixa: Baixa, siblings: Sequence[Receipt], now: UnixMs
) -> Receipt:
    customer = _customer(asked, detail)
    receipt = Receipt(
        company=asked.company,
        baixa=baixa.id,
        instalment=asked.listed.id,
        customer=customer.id,
        customer_name=customer.name,
        amount=baixa.composition.paid,
        paid_on=baixa.paid_on,
        revision=baixa.revision,
        state=ReceiptState.FOUND,
        found_ms=now,
        changed_ms=now,
        due_ms=now,
    )
    if not detail.is_income or baixa.composition.paid <= 0:
        return replace(receipt, state=ReceiptState.SKIPPED, reason=Reason.NOT_A_PAYMENT)
    if reason := _before_connection(asked, baixa):
        is_sure = reason is Reason.BEFORE_CONNECTION
        return replace(receipt, state=ReceiptState.SKIPPED if is_sure else ReceiptState.HELD, reason=reason)
    return _judged(receipt, siblings, now)


def _before_connection(asked: KnownBefore, baixa: Baixa) -> Reason | None:
    """
    Return why a payment may be older than the connection.

    Its own stamp decides, not the instalment's: an instalment of the baseline may be paid on later (R4-6). A payment
    of the baseline that was edited since has a new stamp and a revision; a person tells it from a new one.
    """
    in_baseline = asked.row is not None and asked.row.in_baseline
    if baixa.updated_ms is None:
        return Reason.MAYBE_BEFORE_CONNECTION if in_baseline else None
    if baixa.updated_ms > asked.baseline_ms:
        return Reason.MAYBE_BEFORE_CONNECTION if in_baseline and baixa.revision > 1 else None
    if in_baseline:
        return Reason.BEFORE_CONNECTION
    # The baseline did not show it as paid, so it was booked afterwards, by a clock that is behind; or the list hid it.
    return None if baixa.updated_ms > asked.baseline_ms - SKEW_MS else Reason.MAYBE_BEFORE_CONNECTION


def _judged(receipt: Receipt, siblings: Sequence[Receipt], now: UnixMs) -> Receipt:
    match judge(receipt, siblings, now):
        case Recreation.COVERED:
            return replace(receipt, state=ReceiptState.COVERED, reason=Reason.RECREATED)
        case Recreation.HELD:
            return replace(receipt, state=ReceiptState.HELD, reason=Reason.MAYBE_RECREATED)
        case _:  # WAIT is decided at the claim
            return receipt


def _changed(
    asked: KnownBefore,
    detail: InstalmentDetail,
    undone: Mapping[BaixaId, ReceiptState | None],
    partly: Collection[BaixaId],
    now: UnixMs,
) -> Iterator[tuple[Receipt, Receipt]]:
    shown, customer = {baixa.id: baixa for baixa in detail.baixas}, _customer(asked, detail)
    for receipt in asked.known:
        after = receipt
        if receipt.baixa in undone:
            after = vanished(receipt, now, mailed=undone[receipt.baixa])
        elif receipt.baixa in shown and not receipt.gone:
            after = edited(receipt, shown[receipt.baixa], customer, now, partly=receipt.baixa in partly)
        if after != receipt:
            yield receipt, after
