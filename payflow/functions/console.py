"""The operator's console: one function for all of its pages."""

from __future__ import annotations

import azure.functions as func

from foundation.console.settings import ConsoleSettings
from foundation.http.responses import html_response
from payflow.functions.problems import answers
from payflow.wiring import container

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare


@blueprint.function_name("console")
@blueprint.route("console/{*page}", auth_level=func.AuthLevel.ANONYMOUS)
@answers("GET", "POST")
async def console(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show a page, or do what its form says; the console itself knows who is signed in."""
    from foundation.console.requests import visit_of  # noqa: PLC0415 -- templates cost no other function's cold start
    from payflow.console.site import Console  # noqa: PLC0415

    settings = await container().settings(ConsoleSettings)
    told = settings.entra and container().platform_signs_in()
    site = Console(settings=settings, parts=await container().console_parts())
    return html_response(await site.answer(visit_of(req, platform_signs_in=told)))
