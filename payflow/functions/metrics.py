"""The route of the metrics; the function key keeps strangers from reading volumes."""

from __future__ import annotations

from http import HTTPStatus

import azure.functions as func

from foundation.clock import system_clock
from foundation.metrics import CONTENT_TYPE
from payflow.functions.problems import answers
from payflow.metrics import exposition
from payflow.wiring import container

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare


@blueprint.function_name("metrics")
@blueprint.route("metrics")
@answers("GET")
async def metrics(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show receipts, mails and looks in Prometheus' text format."""
    shown = await exposition(await container().base(), system_clock())
    headers = {"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE}
    return func.HttpResponse(shown.text(), status_code=HTTPStatus.OK, headers=headers)
