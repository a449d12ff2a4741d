"""
The functions of this app: the routes here, the work behind the queues in ``function_work``.

Only this module, ``function_woocommerce`` (the route of a stock WooCommerce), ``function_door``
(what a signed request passes), ``function_answers`` and ``function_problems`` know HTTP. The routes
take every method; the wrong ones are refused with 405.

Importing this module never fails and does nothing: a function app whose module raises has no
functions at all and answers 404. What is not configured is found at first use, answered with 503.
"""

from __future__ import annotations

from http import HTTPStatus

import azure.functions as func

from distributor.model import DEFAULT_SOURCE, OrderKey
from distributor.wiring import container
from function_answers import answered, json_answer, order_answer
from function_door import authenticate
from function_problems import NoSuchOrder
from function_woocommerce import shop
from function_work import DISTRIBUTIONS, STORAGE, WAKE, work

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
app.register_functions(work)
app.register_functions(shop)


# Orders ------------------------------------------------------------------------------------------


@app.function_name("receive_order")
@app.route("webhook", auth_level=func.AuthLevel.ANONYMOUS)
@app.queue_output("distributions", DISTRIBUTIONS, STORAGE)
async def receive_order(
    req: func.HttpRequest, distributions: func.Out[str], context: func.Context
) -> func.HttpResponse:
    """Accept one signed order; its signature is its authorisation."""

    async def accept() -> func.HttpResponse:
        request = await authenticate(req)
        intake = await container().intake()
        accepted = await intake.take(request.by.source, request.body)
        if accepted.wake:
            distributions.set(WAKE)
        response = order_answer(accepted)
        response.headers.update(request.headers)
        return response

    return await answered(req, context, accept, methods=["POST"])


@app.function_name("order_status")
@app.route("orders/{order_id}")
async def order_status(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show an order of the shop that signs with WEBHOOK_SECRET."""
    return await _shown(req, context)


@app.function_name("order_status_of_source")
@app.route("orders/{source}/{order_id}")
async def order_status_of_source(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show an order of any shop."""
    return await _shown(req, context)


async def _shown(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    async def show() -> func.HttpResponse:
        key = OrderKey(req.route_params.get("source", DEFAULT_SOURCE), req.route_params["order_id"])
        status = await container().status()
        document = await status.of(key)
        if document is None:
            raise NoSuchOrder
        return json_answer(HTTPStatus.OK, document)

    return await answered(req, context, show, methods=["GET"])


# Health ------------------------------------------------------------------------------------------


@app.function_name("healthz")
@app.route("healthz", auth_level=func.AuthLevel.ANONYMOUS)
async def healthz(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Say that the process lives; touches nothing."""

    async def live() -> func.HttpResponse:
        return json_answer(HTTPStatus.OK, {"status": "alive"})

    return await answered(req, context, live, methods=["GET"])


@app.function_name("ready")
@app.route("ready", auth_level=func.AuthLevel.ANONYMOUS)
async def ready(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Say what works and what does not, by name."""

    async def check() -> func.HttpResponse:
        readiness = await container().readiness()
        report = await readiness.report()
        status = HTTPStatus.OK if report.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return json_answer(
            status, {"ready": report.ready, "checks": dict(report.checks), "settings": list(report.settings)}
        )

    return await answered(req, context, check, methods=["GET"])
