"""What may be asked of the list of orders, and how a wrong question is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.errors import MalformedQuery
from distributor.ledger.order_search import OrderFilter
from distributor.order_query import LIMIT, OrderQuery, row_of_cursor, sealed
from tests.factories import ALICE

DAY_MS = 86_400_000
FIRST_OF_NOVEMBER_MS = 1_793_491_200_000
"""2026-11-01T00:00:00Z."""


def test_nothing_asked_is_everything() -> None:
    """An empty field of a form asks for nothing."""
    query = OrderQuery.read({"status": "", "wallet": " "})

    assert (query.wanted, query.asked, query.limit, query.after) == (OrderFilter(), {}, LIMIT, "")


def test_every_filter_is_read_and_kept_for_the_next_page() -> None:
    """As it was written, the cursor in place of the last one."""
    asked = {"status": "held", "shop": "loja-sul", "wallet": ALICE.lower(), "id": "WEB-", "hash": "0xABCD12"}

    query = OrderQuery.read({**asked, "limit": "20", "cursor": sealed("held:x")})

    assert query.wanted == OrderFilter(
        status="held", source="loja-sul", wallet=ALICE, id_prefix="WEB-", hash_prefix="0xabcd12"
    )
    assert (query.limit, query.after) == (20, "held:x")
    assert query.next("held:y") == {**asked, "limit": "20", "cursor": sealed("held:y")}
    assert OrderQuery.read(query.next("held:y")).after == "held:y"
    assert OrderQuery.read(asked).next("a") == {**asked, "cursor": sealed("a")}


@pytest.mark.parametrize(
    ("asked", "from_ms", "days"),
    [
        ({"day": "2026-11-01"}, FIRST_OF_NOVEMBER_MS, 1),
        ({"month": "2026-11"}, FIRST_OF_NOVEMBER_MS, 30),
        ({"month": "2026-12"}, FIRST_OF_NOVEMBER_MS + 30 * DAY_MS, 31),
        ({"month": "2027-02"}, FIRST_OF_NOVEMBER_MS + 92 * DAY_MS, 28),
        ({"month": "2026-11", "zone": "brasilia"}, FIRST_OF_NOVEMBER_MS + 3 * 3_600_000, 30),
    ],
)
def test_a_day_and_a_month_have_a_zone(asked: dict[str, str], from_ms: int, days: int) -> None:
    """UTC where none is named; in Brasília the day begins at 03:00 UTC."""
    wanted = OrderQuery.read(asked).wanted

    assert (wanted.from_ms, wanted.before_ms) == (from_ms, from_ms + days * DAY_MS)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"state": "paid"}, "Only these parameters"),
        ({"status": "assigned"}, "status"),
        ({"shop": "Loja"}, "shop"),
        ({"wallet": "0x12"}, "wallet"),
        ({"id": "a b"}, "id is"),
        ({"hash": "0x12"}, "hash"),
        ({"hash": "12345678"}, "hash"),
        ({"day": "2026-02-30"}, "day"),
        ({"day": "20260201"}, "day"),
        ({"day": "1969-01-01"}, "day"),
        ({"month": "2026-13"}, "month"),
        ({"month": "2026-1"}, "month"),
        ({"month": "9999-12"}, "month"),
        ({"day": "2026-11-01", "month": "2026-11"}, "not for both"),
        ({"zone": "Lisboa"}, "zone"),
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"cursor": "*"}, "cursor"),
        ({"cursor": "A" * 401}, "cursor"),
        ({"cursor": "4pi6"}, "cursor"),
        ({"cursor": sealed("time:\x00")}, "cursor"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(asked: dict[str, str], named: str) -> None:
    """Never ignored: an answer to another question would look like an answer to this one."""
    with pytest.raises(MalformedQuery, match=named):
        OrderQuery.read(asked)


@given(
    st.dictionaries(st.sampled_from(["status", "shop", "wallet", "day", "month", "zone", "cursor", "id"]), st.text())
)
def test_a_question_is_read_or_refused_whatever_it_holds(asked: dict[str, str]) -> None:
    """Nothing else is raised."""
    try:
        OrderQuery.read(asked)
    except MalformedQuery:
        return


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=250))
def test_a_cursor_comes_back_as_the_row_it_names(row: str) -> None:
    """In letters that a URL takes as they are."""
    assert row_of_cursor(sealed(row)) == row
    assert sealed(row).replace("-", "").replace("_", "").isalnum() or not row
