"""The route that takes a mail service's events from Event Grid."""

from __future__ import annotations

import json
from http import HTTPStatus

import azure.functions as func

from payflow.functions.problems import answers
from payflow.wiring import container

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare


@blueprint.function_name("mail_events")
@blueprint.route("mail-events", auth_level=func.AuthLevel.ANONYMOUS)
@answers("POST", "OPTIONS")
async def mail_events(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Take one post of events; only a handshake is answered with words, and they are its own."""
    door = await container().event_door()
    if req.method == "OPTIONS":
        allowed = {"Allow": "POST, OPTIONS", **door.handshake(dict(req.headers), dict(req.params))}
        return func.HttpResponse(status_code=HTTPStatus.OK, headers=allowed)
    code = await door.post(dict(req.headers), dict(req.params), req.get_body())
    if not code:
        return func.HttpResponse(status_code=HTTPStatus.NO_CONTENT)
    said = json.dumps({"validationResponse": code})
    return func.HttpResponse(said, status_code=HTTPStatus.OK, mimetype="application/json")
