"""The operator's console: one function for all of its pages."""

from __future__ import annotations

import azure.functions as func

from distributor.functions.responses import answers
from distributor.wiring import container
from foundation.console.settings import ConsoleSettings
from foundation.http.responses import html_response

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare


@blueprint.function_name("console")
@blueprint.route("console/{*page}", auth_level=func.AuthLevel.ANONYMOUS)
@answers("GET", "POST")
async def console(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show a page, or do what its form says; the console itself knows who is signed in."""
    from distributor.console.site import Console  # noqa: PLC0415 -- templates cost a webhook's cold start nothing
    from foundation.console.requests import visit_of  # noqa: PLC0415 -- likewise

    parts = container().parts
    settings = await parts.settings(ConsoleSettings)
    site = Console(
        settings=settings,
        parts=parts,
        rate_limiter=await container().rate_limiter(),
        clock=container().clock,
    )
    told = settings.entra and container().platform_signs_in()
    return html_response(await site.answer(visit_of(req, platform_signs_in=told)))
