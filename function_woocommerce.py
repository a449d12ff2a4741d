"""
The front door of a WooCommerce without a plug-in of ours; registered by ``function_app``.

What its webhook's answers must be, and why an order that cannot be paid is answered 200, stands in
docs/decisions/0022.
"""

from __future__ import annotations

from http import HTTPStatus

import azure.functions as func

from distributor.webhook.woocommerce import NotPaid, is_ping
from distributor.wiring import container
from function_answers import answered, json_answer, order_answer
from function_door import authenticate
from function_work import DISTRIBUTIONS, STORAGE, WAKE

BODY_BYTES_MAX = 512 * 1024
"""A whole order, with all its items and all that plug-ins keep in it."""

shop = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare


@shop.function_name("receive_woocommerce_order")
@shop.route("webhook/woocommerce", auth_level=func.AuthLevel.ANONYMOUS)
@shop.queue_output("distributions", DISTRIBUTIONS, STORAGE)
async def receive_woocommerce_order(
    req: func.HttpRequest, distributions: func.Out[str], context: func.Context
) -> func.HttpResponse:
    """Accept what WooCommerce sends of an order; its signature is its authorisation."""

    async def accept() -> func.HttpResponse:
        if is_ping(req.headers, req.get_body()):
            return json_answer(HTTPStatus.OK, {"status": "ignored", "reason": "ping"})
        request = await authenticate(req, body_bytes_max=BODY_BYTES_MAX)
        intake = await container().woocommerce()
        taken = await intake.accept(request.by, request.body)
        if not isinstance(taken, NotPaid) and taken.wake:
            distributions.set(WAKE)
        response = _not_paid(taken) if isinstance(taken, NotPaid) else order_answer(taken)
        response.headers.update(request.headers)
        return response

    return await answered(req, context, accept, methods=["POST"])


def _not_paid(unpaid: NotPaid) -> func.HttpResponse:
    """Return 200, and why nothing is paid; in a header, too, since WooCommerce's log hides bodies."""
    named = {"order_id": unpaid.order_id} if unpaid.order_id else {}
    told = {"status": unpaid.verdict, "reason": unpaid.reason, "detail": unpaid.detail}
    response = json_answer(HTTPStatus.OK, {**told, **named})
    response.headers["X-Not-Paid"] = unpaid.reason
    return response
