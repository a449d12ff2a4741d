"""The routes that say how the service is."""

from __future__ import annotations

from http import HTTPStatus

import azure.functions as func

from foundation.errors import ServiceError
from foundation.http.responses import json_response
from payflow.functions.problems import answers
from payflow.wiring import Container, container

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare


@blueprint.function_name("healthz")
@blueprint.route("healthz", auth_level=func.AuthLevel.ANONYMOUS)
@answers("GET")
async def healthz(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Say that the process lives; touches nothing."""
    return json_response(HTTPStatus.OK, {"status": "alive"})


@blueprint.function_name("ready")
@blueprint.route("ready", auth_level=func.AuthLevel.ANONYMOUS)
@answers("GET")
async def ready(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Say what works and what does not, by name."""
    parts = container()
    wrong = await parts.wrong_settings()
    checks = {"settings": not wrong, "ledger": await _ledger_answers(parts), "send_log": await _second_answers(parts)}
    good = all(checks.values())
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return json_response(status, {"ready": good, "checks": checks, "settings": list(wrong)})


async def _ledger_answers(parts: Container) -> bool:
    """Say whether the ledger is there, and is this installation's."""
    try:
        await (await parts.entries()).all()
    except ServiceError:
        return False
    return True


async def _second_answers(parts: Container) -> bool:
    try:
        await (await parts.second_tables()).rows.get("ready")
    except ServiceError:
        return False
    return True
