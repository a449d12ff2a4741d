"""
What ``doctor --url`` asks of the app from outside: as a shop, as a browser, and as somebody who forges a sign-in.

Only from there can be seen what the platform before the app does with a request.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Final

from distributor.cli.context import CommandContext
from distributor.cli.language import _
from distributor.settings.use_cases import HistorySettings
from foundation.alarms.settings import AlarmSettings
from foundation.console.entra import HEADER
from foundation.console.settings import ConsoleSettings
from foundation.errors import ServiceError
from foundation.outgoing.guard import Answer, Limits, OutgoingGuard, Request

DEADLINE_S: Final = 10
FORGED: Final = "forged-by-doctor@example.com"
"""No person: a page that names them has believed a header that anybody can write."""
_LIMITS: Final = Limits(deadline_s=DEADLINE_S, body_bytes_max=1024 * 1024)
_OK, _REFUSED, _UNKNOWN = 200, 401, "00000000-0000-0000-0000-000000000000"
Send = Callable[[Request, Limits], Awaitable[Answer]]
"""As ``OutgoingGuard.send``."""


async def https(context: CommandContext, _settings: HistorySettings) -> str:
    """Ask the app itself whether it is ready, where its address is given."""
    return await _asked(context, check_ready)


async def shop_door(context: CommandContext, _settings: HistorySettings) -> str:
    """Ask as a shop does, without a signature."""
    return await _asked(context, unsigned)


async def forged_sign_in(context: CommandContext, _settings: HistorySettings) -> str:
    """Ask as a browser does, with and without the platform's word that somebody has signed in."""
    settings = await context.parts.settings(ConsoleSettings)
    tenant, client = settings.entra_tenant or _UNKNOWN, settings.entra_client or _UNKNOWN

    async def forged(send: Send, url: str) -> str:
        return await forged_principal(send, url, principal(tenant, client), entra=settings.entra)

    return await _asked(context, forged)


async def check_ready(send: Send, url: str) -> str:
    """Say what is wrong with ``/ready`` at *url*."""
    answer = await send(Request(url=f"{url}/ready"), _LIMITS)
    return "" if answer.status == _OK else f"/ready: {answer.status}"


async def unsigned(send: Send, url: str) -> str:
    """Say what is wrong where an order without a signature is not refused by the app itself."""
    answer = await send(Request(url=f"{url}/webhook", method="POST", body=b"{}"), _LIMITS)
    if answer.status == _REFUSED and answer.headers.get("x-error-code"):
        return ""
    return _("/webhook answers {status}, and not the app's own 401: something before the app takes the orders.").format(
        status=answer.status
    )


async def forged_principal(send: Send, url: str, header: str, *, entra: bool) -> str:
    """
    Say what is wrong where a forged word about who signed in changes an answer.

    Args:
        send: Sends a request.
        url: The app's own address.
        header: The forged word.
        entra: Whether the settings want the platform to sign people in.
    """
    plain, forged = [
        await send(Request(url=f"{url}/console/sign-in", headers=headers), _LIMITS)
        for headers in ({}, {HEADER: header})
    ]
    if plain.status != forged.status or FORGED in forged.body.decode(errors="replace"):
        return _("A forged sign-in changes what the console answers: set CONSOLE_ENTRA to 0 at once.")
    if entra and plain.status == _OK:
        return _("CONSOLE_ENTRA is set, and the platform before the app asks nobody to sign in.")
    return ""


def principal(tenant: str, client: str) -> str:
    """Return what the platform would write of an operator who has signed in."""
    claims = {"tid": tenant, "aud": client, "oid": FORGED, "preferred_username": FORGED, "roles": "console.operator"}
    said = {"auth_typ": "aad", "claims": [{"typ": kind, "val": value} for kind, value in claims.items()]}
    return base64.b64encode(json.dumps(said).encode()).decode()


async def _asked(context: CommandContext, ask: Callable[[Send, str], Awaitable[str]]) -> str:
    url = context.options.url.rstrip("/")
    if not url:
        return _("Not checked: give --url https://YOUR-APP.")
    if not url.startswith("https://"):
        return _("Not https: {hosts}.").format(hosts=url)
    guard = OutgoingGuard(inside=(await context.parts.settings(AlarmSettings)).inside_networks)
    try:
        return await ask(guard.send, url)
    except ServiceError as error:
        return str(error)
