"""The route that takes bounces."""

from __future__ import annotations

from http import HTTPStatus

import azure.functions as func

from payflow.functions.problems import answers
from payflow.wiring import container

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare


@blueprint.function_name("bounces")
@blueprint.route("bounces", auth_level=func.AuthLevel.ANONYMOUS)
@answers("POST")
async def bounces(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Take one signed delivery status notification; the answer does not say whether it named one of our mails."""
    await (await container().bounce_door()).post(dict(req.headers), req.get_body())
    return func.HttpResponse(status_code=HTTPStatus.NO_CONTENT)
