"""What a shop receives for an accepted order, and how every route of the distributor answers."""

from __future__ import annotations

import logging
from http import HTTPStatus

import azure.functions as func

from distributor.functions.problems import rate_headers, to_problem
from distributor.model import DEFAULT_SOURCE
from distributor.rates import Window
from distributor.status import shown
from distributor.webhook.order_keeper import Accepted
from foundation.http.handler import HttpFrame
from foundation.http.responses import json_response, set_headers

answers = HttpFrame(to_problem, logging.getLogger("distributor.functions")).answers


def order_response(accepted: Accepted) -> func.HttpResponse:
    """Return 202 for a new order, 200 for a known one, and where its status is shown."""
    order = accepted.order
    path = order.order_id if order.source == DEFAULT_SOURCE else f"{order.source}/{order.order_id}"
    response = json_response(
        HTTPStatus.ACCEPTED if accepted.new else HTTPStatus.OK,
        {"status": shown(order), "order_id": order.order_id, "source": order.source, "href": f"/orders/{path}"},
    )
    response.headers["Location"] = f"/orders/{path}"
    if not accepted.new:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def add_rate(response: func.HttpResponse, window: Window | None) -> func.HttpResponse:
    """Add what is left of the shop's rate to *response*; nothing where no rate is set."""
    if window is not None:
        set_headers(response, rate_headers("source", window))
    return response
