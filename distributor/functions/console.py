"""The operator's console: one function for all of its pages."""

from __future__ import annotations

from urllib.parse import parse_qsl

import azure.functions as func

from distributor.functions.responses import answers
from distributor.wiring import container
from foundation.console.entra import HEADER
from foundation.console.settings import ConsoleSettings
from foundation.http.responses import html_response

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare

FORM_BYTES_MAX = 16_384
_FIELDS_MAX = 16


@blueprint.function_name("console")
@blueprint.route("console/{*page}", auth_level=func.AuthLevel.ANONYMOUS)
@answers("GET", "POST")
async def console(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show a page, or do what its form says; the console itself knows who is signed in."""
    from distributor.console.site import Console  # noqa: PLC0415 -- templates cost a webhook's cold start nothing
    from foundation.console.visit import Visit  # noqa: PLC0415 -- likewise

    parts = container().parts
    settings = await parts.settings(ConsoleSettings)
    told = settings.entra and container().platform_signs_in()
    site = Console(
        settings=settings,
        parts=parts,
        rate_limiter=await container().rate_limiter(),
        clock=container().clock,
    )
    visit = Visit(
        method=req.method or "",
        path=req.route_params.get("page", "").strip("/"),
        query=dict(req.params),
        form=_form(req),
        cookies=req.headers.get("Cookie", ""),
        origin=req.headers.get("Origin", ""),
        forwarded_for=req.headers.get("X-Forwarded-For", ""),
        languages=req.headers.get("Accept-Language", ""),
        principal=req.headers.get(HEADER, "") if told else None,
    )
    return html_response(await site.answer(visit))


def _form(req: func.HttpRequest) -> dict[str, str] | None:
    """Return the fields of a form, the first of two of one name; None for what no form of the console is."""
    body = req.get_body() if req.method == "POST" else b""
    if len(body) > FORM_BYTES_MAX:
        return None
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        return None
    return dict(reversed(pairs))
