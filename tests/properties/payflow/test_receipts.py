"""A changed payment, whatever happens: no mail twice, none that says what is not so, and nobody is left unasked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from payflow import corrections
from payflow.looking import look
from payflow.state import Receipt
from tests.properties.payflow import receipt_world as world_of
from tests.properties.payflow.receipt_world import Broken, ReceiptHistory

HISTORIES = int(os.environ.get("HISTORIES", "3000")) // 200
STEPS = 80


@pytest.mark.no_cover
@pytest.mark.parametrize("addresses", [1, 2])
async def test_nobody_keeps_a_receipt_of_another_amount_unknown_to_a_person(addresses: int) -> None:
    """Edits, looks, undone payments, lost answers, refusals, and people who decide."""
    played = [ReceiptHistory(seed, addresses) for seed in range(HISTORIES)]
    for history in played:
        await history.play(STEPS)

    assert sum(history.corrections for history in played) > HISTORIES // 4
    assert sum(len(history.accepted) for history in played) > HISTORIES


@pytest.mark.no_cover
@pytest.mark.parametrize("addresses", [1, 2])
async def test_a_restore_leaves_nobody_with_another_amount_unknown_to_a_person(addresses: int) -> None:
    """The same, and backups that are put back: what was mailed since then only the send log knows."""
    played = [ReceiptHistory(seed, addresses, restores=True) for seed in range(HISTORIES)]
    for history in played:
        await history.play(STEPS)

    assert sum(history.restored for history in played) > HISTORIES // 2


Patch = pytest.MonkeyPatch


def _a_given_up_correction_forgets_its_document(patch: Patch) -> None:
    dropped = corrections.dropped
    patch.setattr(corrections, "dropped", lambda receipt, now: replace(dropped(receipt, now), document_source=""))


def _a_change_after_the_mail_is_not_flagged(patch: Patch) -> None:
    def unflagged(receipt: Receipt, *_: object) -> Receipt:
        return receipt

    patch.setattr(corrections, "flagged", unflagged)


def _a_held_receipt_takes_over_what_the_payment_became(patch: Patch) -> None:
    async def never(*_: object) -> bool:
        return False

    patch.setattr(look.Look, "_is_partly_mailed", never)


def _what_the_log_says_is_not_taken(patch: Patch) -> None:
    patch.setattr(corrections, "as_mailed", lambda receipt, *_: receipt)


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("broken", "rule", "seed"),
    [
        (_a_given_up_correction_forgets_its_document, world_of.ENDS, 17),
        (_a_change_after_the_mail_is_not_flagged, world_of.NOT_SILENT, 1),
        (_a_held_receipt_takes_over_what_the_payment_became, world_of.CORRECTS, 32),
    ],
)
async def test_a_rule_that_is_taken_away_is_noticed(
    broken: Callable[[Patch], None], rule: str, seed: int, monkeypatch: Patch
) -> None:
    """Each is one that the histories found broken, or that would be; the same history keeps it with the rule."""
    await ReceiptHistory(seed, addresses=2).play(STEPS)
    broken(monkeypatch)

    with pytest.raises(Broken, match=rule):
        await ReceiptHistory(seed, addresses=2).play(STEPS)


@pytest.mark.no_cover
@pytest.mark.parametrize(("rule", "seed"), [(world_of.NOT_SILENT, 7), (world_of.NOT_SILENT, 16), (world_of.BOOKS, 35)])
async def test_the_send_logs_word_taken_away_is_noticed(rule: str, seed: int, monkeypatch: Patch) -> None:
    """The row of a backup is from before the mail, and the payment may have been edited between the two."""
    await ReceiptHistory(seed, restores=True).play(STEPS)
    _what_the_log_says_is_not_taken(monkeypatch)

    with pytest.raises(Broken, match=rule):
        await ReceiptHistory(seed, restores=True).play(STEPS)
