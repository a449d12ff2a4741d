"""The route of the metrics; the function key keeps strangers from reading volumes."""

from __future__ import annotations

from http import HTTPStatus

import azure.functions as func

from distributor.functions.responses import answers
from distributor.wiring import container

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare


@blueprint.function_name("metrics")
@blueprint.route("metrics")
@answers("GET")
async def metrics(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show the state of the payouts in Prometheus' text format."""
    shown = await container().metrics()
    headers = {"Cache-Control": "no-store", "Content-Type": shown.content_type}
    return func.HttpResponse(await shown.text(), status_code=HTTPStatus.OK, headers=headers)
