"""The routes that say how the service is."""

from __future__ import annotations

import azure.functions as func

from distributor.functions.responses import answers
from distributor.wiring import container
from foundation.http import health

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare


@blueprint.function_name("healthz")
@blueprint.route("healthz", auth_level=func.AuthLevel.ANONYMOUS)
@answers("GET")
async def healthz(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Say that the process lives; touches nothing."""
    return health.alive()


@blueprint.function_name("ready")
@blueprint.route("ready", auth_level=func.AuthLevel.ANONYMOUS)
@answers("GET")
async def ready(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Say what works and what does not, by name."""
    report = await (await container().readiness()).report()
    return health.readiness(report.document, ready=report.ready)
