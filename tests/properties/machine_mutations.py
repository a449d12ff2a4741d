"""
Disciplines taken away, one at a time: what the machine must notice.

Each mutation leaves the rest of the code as it is. ``seen`` are the rules that the search looks at, so that it is
the harm that is caught, where it can be: money paid twice, or an order never paid. ``troubles`` are those the harm
needs, or one that does nothing by itself: the search leaves out the others, and finds it sooner. What random histories
meet in less than one of a hundred has a ``story``, which is played instead of the search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from tests.properties import machine_broken_approvals as unapproved
from tests.properties import machine_broken_caps as caps
from tests.properties import machine_broken_chain as chain
from tests.properties import machine_broken_guard as guard
from tests.properties import machine_broken_lanes as lanes
from tests.properties import machine_broken_people as people
from tests.properties import machine_broken_reads as reads
from tests.properties import machine_broken_recovery as recovery
from tests.properties import machine_broken_shops as shops
from tests.properties import machine_broken_writes as writes
from tests.properties import machine_stories as stories
from tests.properties import machine_stories_approvals as approved
from tests.properties import machine_stories_lanes as laned
from tests.properties import machine_stories_lost as lost
from tests.properties import machine_stories_shops as renamed
from tests.properties.machine_stories import Story

Patch = pytest.MonkeyPatch

TWICE = "an order is paid at most once"
HAS_TRANSFER = "what is paid has its transfer, for ever"
ENDS = "everything ends paid, held or cancelled"
WAY = "an order goes its way and never back"
FINAL_STAYS = "what is final stays as it is"
ONE_PLACE = "an order is in one place"
COMMITTED = "commitments are the open transactions"
NOT_PAID = "what is held or cancelled is not paid"
HELD_FAILED = "what is held has failed for ever"
APPENDED = "attempts and references are append-only"
STORED = "stored before submitted"
PAUSED = "nothing is bound behind a pause"
GAS = "no payment fails for want of gas"
NO_NONCE = "a held or waiting order has no nonce"
CAPPED = "no day goes beyond its cap"
SPENT = "what was spent is bound or paid"
COUNTED = "the days count what was paid"
SIGNED_ON = "a binding counts on the day it is signed"
TOLD_OPEN = "what stays open was told"
HALTED = "nothing is submitted behind a halt"
COMES_HELD = "what is above the limit comes in held"
APPROVED = "nothing above the limit is bound without approval"
APPROVED_SELF = "nobody approves what they asked for"
APPROVED_ALONE = "only an approval ends the wait for one"
APPROVING = ("approve", "change_limit", "forge_approval", "wait_a_week")
SOUND_IS_READ = "no sound row is called unreadable"


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A discipline taken away, and the rules one of which must then be seen broken."""

    name: str
    apply: Callable[[Patch], None]
    seen: frozenset[str]
    troubles: frozenset[str] = frozenset()
    story: Story | None = None
    by_chance: bool = True
    """Whether random histories are known to meet the harm, even if only after thousands."""


def _mutation(
    apply: Callable[[Patch], None],
    *seen: str,
    troubles: Sequence[str] = (),
    story: Story | None = None,
    by_chance: bool = True,
) -> Mutation:
    return Mutation(
        name=getattr(apply, "__name__", ""),
        apply=apply,
        seen=frozenset(seen),
        troubles=frozenset(troubles),
        story=story,
        by_chance=by_chance,
    )


def _if_match(name: str, prefixes: Sequence[str], *seen: str, troubles: Sequence[str] = (), story: Story) -> Mutation:
    def apply(patch: Patch) -> None:
        writes.unconditional(patch, *prefixes)

    return Mutation(name=name, apply=apply, seen=frozenset(seen), troubles=frozenset(troubles), story=story)


MUTATIONS = (
    _if_match("totals_without_if_match", ["commitments", "spent:", "stats:"], COMMITTED, story=stories.TOTALS_MEET),
    _if_match(
        "nonce_without_if_match", ["nonce:"], PAUSED, troubles=["pause", "resume"], story=stories.PAUSED_IN_BETWEEN
    ),
    _if_match("transactions_without_if_match", ["tx:"], FINAL_STAYS, story=stories.CLOSED_IN_BETWEEN),
    _if_match(
        "leases_as_the_only_guard",
        [""],
        *(FINAL_STAYS, COMMITTED, WAY, ONE_PLACE),
        story=stories.CLOSED_IN_BETWEEN,
    ),
    _mutation(writes.order_rows_without_any_condition, WAY, ONE_PLACE, troubles=["decide"]),
    _mutation(writes.attempts_without_any_condition, APPENDED, troubles=["set_base_fee"], story=stories.TWO_OUTBID),
    _mutation(writes.orders_inserted_without_condition, WAY, APPENDED, "the first content stands"),
    _mutation(writes.owner_token_ignored, "what is new is answered as new", troubles=["lose_group"]),
    _mutation(writes.submit_before_binding, STORED),
    _mutation(writes.submit_before_storing_a_replacement, STORED, troubles=["set_base_fee"]),
    _mutation(chain.null_receipt_is_a_dropped_transaction, TWICE, story=stories.UNSEEN),
    _mutation(chain.final_at_one_confirmation, HAS_TRANSFER, troubles=["reorganise"]),
    _mutation(
        chain.a_missing_tag_falls_back_to_depth,
        HAS_TRANSFER,
        troubles=["lose_finality", "reorganise"],
        story=stories.NO_TAG,
    ),
    _mutation(chain.mined_is_for_ever, ENDS, troubles=["reorganise"]),
    _mutation(chain.paid_by_status_alone, HAS_TRANSFER, troubles=["change_contract"]),
    _mutation(
        chain.cancelled_is_paid,
        HAS_TRANSFER,
        troubles=["change_contract", "cancel_nonce"],
        story=stories.CANCELLED,
    ),
    _mutation(
        chain.released_at_finality,
        TWICE,
        NOT_PAID,
        HELD_FAILED,
        troubles=["change_contract", "reorganise_failures"],
        story=stories.FAILURE_UNDONE,
    ),
    _mutation(
        chain.released_on_one_nodes_word, TWICE, NOT_PAID, HELD_FAILED, troubles=["lie"], story=stories.CALLED_FAILED
    ),
    _mutation(
        chain.only_block_and_status_are_compared,
        TWICE,
        NOT_PAID,
        HELD_FAILED,
        troubles=["lie"],
        story=stories.CALLED_UNPAID,
    ),
    _mutation(chain.paid_on_one_nodes_word, HAS_TRANSFER, story=stories.CALLED_PAID, by_chance=False),
    _mutation(chain.no_receipt_is_silence, HAS_TRANSFER, story=stories.INVENTED, by_chance=False),
    _mutation(people.one_fee_field_bumped, ENDS, troubles=["set_base_fee"]),
    _mutation(people.never_replaced, ENDS, troubles=["set_base_fee"], story=stories.DEAR_TWICE),
    _mutation(people.estimate_is_the_gas_limit, GAS, troubles=["change_contract"]),
    _mutation(people.commitments_ignored, "no more is promised than the reserve holds", troubles=["set_base_fee"]),
    _mutation(people.released_twice, COMMITTED, SPENT),
    _mutation(people.closing_keeps_the_nonce, NO_NONCE, ONE_PLACE, troubles=["change_contract"]),
    _mutation(people.retry_of_an_order_whose_nonce_lives, TWICE, troubles=["decide"]),
    _mutation(people.cancel_of_a_bound_order, NOT_PAID, troubles=["decide"]),
    _mutation(
        people.pause_without_touching_the_nonces, PAUSED, troubles=["pause", "resume"], story=stories.PAUSED_IN_BETWEEN
    ),
    _mutation(people.nothing_is_swept, ENDS),
    _mutation(people.erased_with_its_id, TWICE, troubles=["purge"], story=stories.SENT_AGAIN),
    _mutation(
        people.erased_before_it_is_finished,
        *(NOT_PAID, HELD_FAILED),
        troubles=["purge"],
        story=stories.ERASED_TOO_EARLY,
    ),
    _mutation(
        reads.switch_read_before_the_books, PAUSED, troubles=["pause", "resume"], story=stories.PAUSED_IN_BETWEEN
    ),
    _mutation(caps.days_total_read_but_not_written, CAPPED),
    _mutation(caps.wallets_total_read_but_not_written, CAPPED),
    _mutation(
        caps.released_on_the_day_of_the_closing, SPENT, troubles=["change_contract"], story=stories.FAILS_THE_DAY_AFTER
    ),
    _mutation(caps.bound_by_yesterdays_totals, SIGNED_ON, troubles=["arrive_late"]),
    _mutation(caps.closings_not_counted_by_their_day, COUNTED),
    _mutation(caps.halt_ignored_by_settlement, HALTED, troubles=["pause", "set_base_fee"]),
    _mutation(caps.halt_looked_at_before_signing_alone, HALTED, story=stories.HALTED_IN_BETWEEN, by_chance=False),
    _mutation(guard.a_failed_item_is_paid, HAS_TRANSFER, troubles=["change_guard", "change_contract"]),
    _mutation(guard.equal_items_are_told_apart_by_transfers, HAS_TRANSFER, story=stories.EQUAL_ITEMS, by_chance=False),
    _mutation(
        guard.adopted_before_it_is_final,
        HAS_TRANSFER,
        troubles=["pay_elsewhere", "reorganise"],
        story=stories.PAID_ELSEWHERE,
    ),
    _mutation(guard.neither_ledger_age_nor_guard_refuses, TWICE, story=stories.PUT_BACK, by_chance=False),
    _mutation(guard.a_lease_is_believed_whatever_it_says, ENDS, TOLD_OPEN, troubles=["skew", "crash"]),
    _mutation(guard.reopened_without_a_look, NOT_PAID, WAY, troubles=["command"]),
    _mutation(guard.settled_without_a_look, HAS_TRANSFER, troubles=["command", "reorganise", "change_contract"]),
    _mutation(
        recovery.rebuilt_without_a_fence,
        TWICE,
        troubles=["lose_ledger", "rebuild", "resume", "drop"],
        story=lost.COME_BACK,
    ),
    _mutation(
        recovery.nothing_found_is_kept, TWICE, troubles=["lose_ledger", "rebuild", "resume"], story=lost.COME_BACK
    ),
    _mutation(recovery.fence_forgets_its_block, TWICE, story=lost.BROUGHT_BACK, by_chance=False),
    _mutation(recovery.fence_overlooks_a_spent_nonce, lost.REBUILT_WHOLE, story=lost.COMES_LATE, by_chance=False),
    _mutation(
        recovery.stepped_over_before_it_is_final,
        ENDS,
        troubles=["stray", "resolve", "pause", "resume", "reorganise"],
        story=lost.STRAY_UNDONE,
    ),
    _mutation(shops.a_name_is_an_identity, TWICE, troubles=["change_shop"], story=renamed.RENAMED),
    _mutation(shops.a_new_secret_is_a_new_shop, TWICE, troubles=["change_shop"], story=renamed.REKEYED),
    _mutation(unapproved.judged_at_binding_alone, COMES_HELD, story=approved.COMES_IN),
    _mutation(unapproved.judged_at_intake_alone, APPROVED, troubles=APPROVING, story=approved.LIMIT_LOWERED),
    _mutation(unapproved.of_whatever_content, APPROVED, story=approved.COPIED, by_chance=False),
    _mutation(unapproved.by_who_asked, APPROVED_SELF, story=approved.BY_THE_SAME),
    _mutation(unapproved.written_by_who_asked, APPROVED, troubles=APPROVING, story=approved.WRITTEN_BY_THE_SAME),
    _mutation(unapproved.for_ever, APPROVED, story=approved.TOO_LATE, by_chance=False),
    _mutation(unapproved.by_retry, APPROVED_ALONE, story=approved.RETRIED),
    _mutation(lanes.a_sign_stops_its_own_lane_alone, TWICE, story=laned.SIGN_IN_ONE, by_chance=False),
    _mutation(lanes.an_order_is_bound_in_two_lanes, TWICE, story=laned.BOUND_BY_TWO, by_chance=False),
    _mutation(lanes.a_lane_that_stands_still_takes_orders, laned.STANDS_STILL, story=laned.STILL, by_chance=False),
    _mutation(
        lanes.a_full_lane_makes_way_for_one_that_stands_still,
        laned.STANDS_STILL,
        story=laned.STILL,
        by_chance=False,
    ),
    _mutation(lanes.a_dry_lane_stops_the_others, laned.OTHERS_GO_ON, story=laned.DRY, by_chance=False),
    _mutation(reads.mined_ones_hold_up_their_fees, lost.OUTBID, story=lost.PRICE_RISES, by_chance=False),
)
