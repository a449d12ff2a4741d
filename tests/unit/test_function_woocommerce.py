"""What the WooCommerce route answers: what a delivery was, and never how an order is."""

from __future__ import annotations

import json
from typing import Any

import azure.functions as func
import pytest

from distributor.functions import woocommerce
from distributor.model import OrderStatus
from distributor.rates import Rate
from distributor.webhook.order_keeper import Accepted
from distributor.webhook.woocommerce import NotPaid, NotPaidKind
from foundation.errors import ConfigurationError, StoreUnavailable
from tests.factories import an_order
from tests.fakes.functions import FakeContainer, a_context, raises, returns

PING = b"webhook_id=12"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> FakeContainer:
    """Replace the composition root; every signature is right."""
    fake = FakeContainer()
    for module in (woocommerce,):
        monkeypatch.setattr(module, "container", lambda: fake)
    fake.acts["intake"] = returns(None)
    return fake


async def deliver(body: bytes = b"{}", **more: Any) -> func.HttpResponse:
    """Deliver as WooCommerce does."""
    headers = {"Content-Type": "application/json", "X-WC-Webhook-Signature": "A" * 43 + "="}
    request = func.HttpRequest(
        more.get("method", "POST"),
        "https://app/webhook/woocommerce",
        headers=more.get("headers", headers),
        route_params={},
        body=body,
    )
    answer = await woocommerce.receive_woocommerce_order(request, a_context())
    assert isinstance(answer, func.HttpResponse)
    return answer


def document(answer: func.HttpResponse) -> Any:
    """Read the body."""
    return json.loads(answer.get_body())


async def test_the_ping_gets_exactly_200_and_asks_nothing_of_anyone(container: FakeContainer) -> None:
    """Configured or not, limited or not: 202 would be sent again after every delivery, without end."""
    container.acts.clear()
    container.limits = ConfigurationError("RATE_LIMIT_PER_ADDRESS is wrong")

    answer = await deliver(PING, headers=FORM)

    assert (answer.status_code, document(answer)) == (200, {"status": "ignored", "reason": "ping"})
    assert container.wakes == 0


async def test_a_ping_with_a_signature_is_no_ping(container: FakeContainer) -> None:
    """Its signature is looked at, and then it is no JSON type."""
    answer = await deliver(PING, headers={**FORM, "X-WC-Webhook-Signature": "A" * 43 + "="})

    assert (answer.status_code, answer.headers["X-Error-Code"]) == (415, "not_json_type")
    assert "woocommerce" not in container.acts


async def test_an_order_to_be_paid_is_accepted_and_wakes(container: FakeContainer) -> None:
    """202 is a success for WooCommerce, and says what /webhook says."""
    container.acts["woocommerce"] = returns(Accepted(order=an_order("727"), new=True, wake=True))

    answer = await deliver()

    assert (answer.status_code, answer.headers["Location"], container.wakes) == (202, "/orders/727", 1)


async def test_a_repeated_snapshot_is_answered_and_wakes_nobody(container: FakeContainer) -> None:
    """It is under way already."""
    order = an_order("727", status=OrderStatus.BOUND)
    container.acts["woocommerce"] = returns(Accepted(order=order, new=False, wake=False))

    answer = await deliver()

    assert (answer.status_code, answer.headers["Idempotent-Replayed"], container.wakes) == (200, "true", 0)
    assert document(answer)["status"] == "submitted"


@pytest.mark.parametrize("verdict", NotPaidKind)
async def test_an_order_that_pays_nothing_is_no_failed_delivery(container: FakeContainer, verdict: NotPaidKind) -> None:
    """200 with the reason in a header, which WooCommerce's log keeps; anything else would count against the webhook."""
    container.acts["woocommerce"] = returns(NotPaid(verdict=verdict, reason="why", detail="Because.", order_id="727"))

    answer = await deliver()

    assert (answer.status_code, answer.headers["X-Not-Paid"], container.wakes) == (200, "why", 0)
    assert document(answer) == {"status": verdict, "reason": "why", "detail": "Because.", "order_id": "727"}
    assert "X-Error-Code" not in answer.headers


async def test_a_body_that_names_no_order_is_answered_without_one(container: FakeContainer) -> None:
    """An empty id would be read as one."""
    container.acts["woocommerce"] = returns(
        NotPaid(verdict=NotPaidKind.IGNORED, reason="not_an_order", detail="No order.")
    )

    assert "order_id" not in document(await deliver())


@pytest.mark.parametrize(
    ("size", "status"), [(64 * 1024 + 1, 202), (512 * 1024, 202), (512 * 1024 + 1, 413)], ids=["65 KiB", "512", "more"]
)
async def test_a_whole_order_has_room(container: FakeContainer, size: int, status: int) -> None:
    """WooCommerce sends every item and everything plug-ins keep."""
    container.acts["woocommerce"] = returns(Accepted(order=an_order("727"), new=True, wake=True))

    assert (await deliver(b" " * size)).status_code == status


async def test_an_unsigned_order_is_refused_and_counts_as_failed(container: FakeContainer) -> None:
    """No order of that shop can be taken: its owner should see the webhook fail."""
    container.forged = True
    container.acts["woocommerce"] = returns(None)

    answer = await deliver()

    assert (answer.status_code, answer.headers["X-Error-Code"]) == (401, "bad_signature")


@pytest.mark.parametrize(
    ("error", "code"),
    [(StoreUnavailable("down"), "ledger_unavailable"), (ConfigurationError("WOO_CURRENCY"), "not_configured")],
)
async def test_what_could_not_be_taken_is_not_called_taken(
    container: FakeContainer, error: Exception, code: str
) -> None:
    """503: WooCommerce does not send it again, so its log must show that it failed."""
    is_setting = isinstance(error, ConfigurationError)
    container.acts["woocommerce"] = error if is_setting else raises(error)

    answer = await deliver()

    assert (answer.status_code, answer.headers["X-Error-Code"]) == (503, code)


async def test_a_shop_is_told_its_rate(container: FakeContainer) -> None:
    """As on every signed route."""
    container.limits = (None, Rate(amount=5, period_s=60))
    container.acts["woocommerce"] = returns(NotPaid(verdict=NotPaidKind.IGNORED, reason="why", detail="Because."))

    answer = await deliver()

    assert answer.headers["RateLimit-Policy"] == '"source";q=5;w=60'


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
async def test_another_method_is_told_which_there_is(container: FakeContainer, method: str) -> None:
    """405, also for a ping."""
    answer = await deliver(PING, headers=FORM, method=method)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert "woocommerce" not in container.acts
