"""The routes of an order: accept it, show it."""

from __future__ import annotations

from http import HTTPStatus

import azure.functions as func

from distributor.functions.problems import NoSuchOrder
from distributor.functions.responses import add_rate, answers, order_response
from distributor.model import DEFAULT_SOURCE, OrderKey
from distributor.order_query import OrderQuery
from distributor.webhook.authentication import WebhookRequest
from distributor.wiring import container
from foundation.http.responses import json_response

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare


@blueprint.function_name("receive_order")
@blueprint.route("webhook", auth_level=func.AuthLevel.ANONYMOUS)
@answers("POST")
async def receive_order(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Accept one signed order; its signature is its authorisation."""
    intake = await container().intake()
    sender, accepted = await intake.accept(WebhookRequest(headers=req.headers, body=req.get_body()))
    if accepted.wake:
        await container().wake_distribution()
    return add_rate(order_response(accepted), sender.window)


@blueprint.function_name("order_status")
@blueprint.route("orders/{order_id}")
@answers("GET")
async def order_status(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show an order of the shop that signs with WEBHOOK_SECRET."""
    return await _show(OrderKey(DEFAULT_SOURCE, req.route_params["order_id"]))


@blueprint.function_name("order_status_of_source")
@blueprint.route("orders/{source}/{order_id}")
@answers("GET")
async def order_status_of_source(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show an order of any shop."""
    return await _show(OrderKey(req.route_params["source"], req.route_params["order_id"]))


@blueprint.function_name("list_orders")
@blueprint.route("orders")
@answers("GET")
async def list_orders(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show a page of the orders that the query asks for."""
    listing = await container().order_list()
    asked = {name: text for name, text in req.params.items() if name != "code"}
    return json_response(HTTPStatus.OK, await listing.document(OrderQuery.read(asked)))


@blueprint.function_name("own_order_status")
@blueprint.route("shop/orders/{order_id}", auth_level=func.AuthLevel.ANONYMOUS)
@answers("GET")
async def own_order_status(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show a shop an order of its own; its signature of the question is its authorisation."""
    reading = await container().shop_reading()
    sender, document = await reading.of(req.headers, req.route_params["order_id"])
    if document is None:
        raise NoSuchOrder
    return add_rate(json_response(HTTPStatus.OK, document), sender.window)


async def _show(key: OrderKey) -> func.HttpResponse:
    status = await container().status()
    document = await status.of(key)
    if document is None:
        raise NoSuchOrder
    return json_response(HTTPStatus.OK, document)
