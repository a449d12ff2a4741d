"""
The route of a WooCommerce without a plug-in of this service.

ADR 0022 says what WooCommerce must be answered, and why an order that cannot be paid is answered 200.
"""

from __future__ import annotations

from http import HTTPStatus

import azure.functions as func

from distributor.functions.responses import add_rate, answers, order_response
from distributor.webhook.authentication import WebhookRequest
from distributor.webhook.woocommerce import NotPaid, is_ping
from distributor.wiring import container
from foundation.http.responses import json_response

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare


@blueprint.function_name("receive_woocommerce_order")
@blueprint.route("webhook/woocommerce", auth_level=func.AuthLevel.ANONYMOUS)
@answers("POST")
async def receive_woocommerce_order(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Accept an order that WooCommerce delivers; its signature is its authorisation."""
    request = WebhookRequest(headers=req.headers, body=req.get_body())
    if is_ping(request.headers, request.body):
        return json_response(HTTPStatus.OK, {"status": "ignored", "reason": "ping"})
    intake = await container().woocommerce()
    sender, taken = await intake.accept(request)
    if isinstance(taken, NotPaid):
        return add_rate(_not_paid(taken), sender.window)
    if taken.wake:
        await container().wake_distribution()
    return add_rate(order_response(taken), sender.window)


def _not_paid(unpaid: NotPaid) -> func.HttpResponse:
    """Return 200, and why nothing is paid; in a header as well, because WooCommerce's log hides bodies."""
    order_id = {"order_id": unpaid.order_id} if unpaid.order_id else {}
    document = {"status": unpaid.verdict, "reason": unpaid.reason, "detail": unpaid.detail}
    response = json_response(HTTPStatus.OK, {**document, **order_id})
    response.headers["X-Not-Paid"] = unpaid.reason
    return response
