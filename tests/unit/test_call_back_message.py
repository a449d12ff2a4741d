"""What a shop gets: the same bytes at each attempt, no money in them, and a key that is good for nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from distributor.call_backs.message import (
    body_of,
    body_of_test,
    call_back_secret,
    event_id,
    event_type,
    headers_of,
    id_of_test,
)
from distributor.ledger.call_records import CallBack
from distributor.model import OrderKey, OrderStatus
from foundation.clock import UnixMs
from tests.factories import NOW_MS

SECRET = "secret of the default shop, 32 bytes"  # pragma: allowlist secret
CALL = CallBack(
    source="default",
    order_id="ORD.1",
    sequence=NOW_MS + 5,
    status=OrderStatus.PAID,
    at_ms=UnixMs(NOW_MS),
    next_ms=UnixMs(NOW_MS),
)


def test_the_body_is_written_out() -> None:
    """A promise to every receiver: names and forms stay."""
    assert json.loads(body_of(CALL)) == {
        "type": "order.paid",
        "timestamp": "2027-01-15T08:00:00.000Z",
        "data": {
            "event_id": "evt_" + hashlib.sha256(b"default:ORD.1:1800000000005").hexdigest()[:32],
            "source": "default",
            "order_id": "ORD.1",
            "status": "paid",
            "sequence": 1_800_000_000_005,
        },
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (OrderStatus.PAID, "order.paid"),
        (OrderStatus.HELD, "order.held"),
        (OrderStatus.CANCELLED, "order.cancelled"),
        (OrderStatus.RECEIVED, "order.reopened"),
        (OrderStatus("later_word"), "order.later_word"),
    ],
)
def test_each_status_has_its_type(status: OrderStatus, kind: str) -> None:
    """A word of a later version is sent unchanged."""
    assert event_type(status) == kind


def test_an_id_has_no_full_stop_and_belongs_to_one_event() -> None:
    """The signature's text is cut at full stops."""
    ids = {event_id(OrderKey("default", order), number) for order in ("ORD.1", "ORD.2") for number in (1, 2)}

    assert len(ids) == 4
    assert not any("." in each for each in ids)


def test_the_key_is_made_from_the_secret_for_this_use_alone() -> None:
    """As a receiver makes it: HMAC-SHA256 of the label under the secret as it is written."""
    expected = hmac.new(SECRET.encode(), b"ballx call-back v1", hashlib.sha256).digest()

    assert call_back_secret(SECRET) == "whsec_" + base64.b64encode(expected).decode()


def test_each_secret_signs_for_itself() -> None:
    """The id and the time are signed too."""
    body = body_of(CALL)
    one = headers_of(body, "evt_1", [SECRET], UnixMs(NOW_MS + 999))
    both = headers_of(body, "evt_1", [SECRET, "another secret of the shop"], UnixMs(NOW_MS + 999))

    key = base64.b64decode(call_back_secret(SECRET).removeprefix("whsec_"))
    digest = base64.b64encode(hmac.digest(key, b"evt_1.1800000000." + body, "sha256")).decode()
    assert one["webhook-signature"] == f"v1,{digest}"
    assert (one["webhook-id"], one["webhook-timestamp"]) == ("evt_1", "1800000000")
    assert one["User-Agent"].startswith("ballx-distributor/")
    assert both["webhook-signature"].split(" ")[0] == one["webhook-signature"]
    assert len(both["webhook-signature"].split(" ")) == 2


def test_a_test_is_about_no_order() -> None:
    """It has the form of any event, and an id of its own."""
    document = json.loads(body_of_test("south", UnixMs(NOW_MS)))

    assert document["type"] == "test"
    assert document["data"] == {"event_id": id_of_test("south", UnixMs(NOW_MS)), "source": "south"}
