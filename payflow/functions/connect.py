"""The pages a clinic connects on."""

from __future__ import annotations

from urllib.parse import urlsplit

import azure.functions as func

from foundation.http.html import cookie_in
from foundation.http.responses import html_response
from payflow.connect import pages
from payflow.connect.connecting import AuthorizationResponse, NoSuchInvitation, NoSuchSignIn
from payflow.functions.problems import answers
from payflow.wiring import container

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare


@blueprint.function_name("connect")
@blueprint.route("connect/{invitation}", auth_level=func.AuthLevel.ANONYMOUS)
@answers("GET", "POST")
async def connect(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show the invitation; its button begins the sign-in. A link that is only opened changes nothing."""
    connecting, secret = await container().connecting(), req.route_params["invitation"]
    try:
        if req.method == "POST":
            return html_response(pages.sign_in_begun(await connecting.begin(secret)))
        await connecting.check(secret)
    except NoSuchInvitation:
        return html_response(pages.no_invitation())
    parts = urlsplit(connecting.redirect_uri)
    action = f"{parts.scheme}://{parts.netloc}/connect/{secret}"
    return html_response(pages.invitation_page(action, connecting.authorize_url))


@blueprint.function_name("oauth_callback")
@blueprint.route("oauth/callback", auth_level=func.AuthLevel.ANONYMOUS)
@answers("GET")
async def oauth_callback(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Take Conta Azul's answer, once; a reload shows what came of it."""
    connecting = await container().connecting()
    back = AuthorizationResponse(
        state=req.params.get("state", ""),
        cookie=cookie_in(req.headers.get("Cookie", ""), pages.COOKIE),
        code=req.params.get("code", ""),
        error=req.params.get("error", ""),
    )
    try:
        outcome = await connecting.finish(back)
        return html_response(pages.outcome(outcome, await connecting.office(back)))
    except NoSuchSignIn:
        return html_response(pages.no_sign_in())
