"""The page of a clinic's office, and the worker that mails its codes."""

from __future__ import annotations

from urllib.parse import parse_qs

import azure.functions as func

from foundation.clock import system_clock
from foundation.http.responses import html_response
from payflow.functions.problems import answers
from payflow.functions.workers import OFFICE, STORAGE, finished
from payflow.model import CompanyId
from payflow.settings.groups import ContaAzulSettings
from payflow.wiring import container

FORM_BYTES_MAX = 65_536
"""Three hundred marked receipts."""
_FIELDS_MAX = 400

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare


@blueprint.function_name("office")
@blueprint.route("office/{company}/{*page}", auth_level=func.AuthLevel.ANONYMOUS)
@blueprint.queue_output("mails", OFFICE, STORAGE)
@answers("GET", "POST")
async def office(req: func.HttpRequest, mails: func.Out[str], context: func.Context) -> func.HttpResponse:
    """Show a page, or do what its form says; the page itself knows who is signed in."""
    from payflow.office.site import OfficeSite  # noqa: PLC0415 -- templates cost no other function's cold start
    from payflow.office.visits import OfficeVisit  # noqa: PLC0415

    site = OfficeSite(
        door=await container().office_door(),
        origin=(await container().settings(ContaAzulSettings)).origin,
        wake=mails.set,
        actions=container().actions,
        invite=container().invite,
        clock=system_clock,
    )
    visit = OfficeVisit(
        method=req.method or "",
        company=req.route_params["company"],
        page=req.route_params.get("page", "").strip("/"),
        query=dict(req.params),
        form=_form(req),
        cookies=req.headers.get("Cookie", ""),
        origin=req.headers.get("Origin", ""),
    )
    return html_response(await site.answer(visit))


@blueprint.function_name("office_mail")
@blueprint.queue_trigger("message", OFFICE, STORAGE)
async def office_mail(message: func.QueueMessage, context: func.Context) -> None:
    """Mail a company's office what it waits for."""
    await finished(context, lambda: container().mail_office(CompanyId(message.get_body().decode())))


@blueprint.function_name("office_mail_poisoned")
@blueprint.queue_trigger("message", f"{OFFICE}-poison", STORAGE)
async def office_mail_poisoned(message: func.QueueMessage, context: func.Context) -> None:
    """Note that mailing an office failed with a bug."""

    async def note() -> None:
        register = await container().register()
        await register.note("poison_message", message.get_body().decode(errors="replace")[:100], "")

    await finished(context, note)


def _form(req: func.HttpRequest) -> dict[str, list[str]] | None:
    """Return the fields of a form; None for what no form of the page is."""
    body = req.get_body() if req.method == "POST" else b""
    if len(body) > FORM_BYTES_MAX:
        return None
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        return None
