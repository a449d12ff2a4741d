"""``sign`` and ``send-test``: a shop's request, signed with its configured secret, which is never shown."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import shlex
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from distributor.cli.argument_types import words
from distributor.cli.common_arguments import apply_argument
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.model import DEFAULT_SOURCE
from distributor.settings.shop_secrets import SecretName
from distributor.settings.shops import WebhookSettings
from distributor.webhook.signature_schemes import Scheme
from distributor.webhook.signing import signed_headers
from foundation.alarms.settings import AlarmSettings
from foundation.outgoing.guard import Answer, Limits, OutgoingGuard, Request

TEST_BODY = b'{"test": true}'
"""Signed, and no order: the service checks the signature first and then refuses it. Nothing is stored."""
DEADLINE_S = 15
_MEANING: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: N_(
        "The address, the secret and the signature are right. The test body is no order: nothing was stored."
    ),
    HTTPStatus.ACCEPTED: N_("The order was accepted and will be paid."),
    HTTPStatus.OK: N_("The order was accepted before; it is paid once."),
    HTTPStatus.UNAUTHORIZED: N_("The service has another secret for this shop, or a proxy changed the body."),
    HTTPStatus.UNPROCESSABLE_ENTITY: N_("The signature is right; the order itself is refused."),
    HTTPStatus.TOO_MANY_REQUESTS: N_("Too many requests of this shop or address; wait a minute."),
    HTTPStatus.SERVICE_UNAVAILABLE: N_("The service lacks a setting, or its ledger does not answer; see /ready."),
    HTTPStatus.NOT_FOUND: N_("There is no webhook at this address; it ends with /webhook."),
}


async def sign(context: CommandContext) -> int:
    """Print the headers that sign a body, and the same as a curl command."""
    body = await asyncio.to_thread(_body, context.options.file)
    headers = await _signed(context, body)
    url = context.options.url or "https://YOUR-APP.azurewebsites.net/webhook"
    context.answer({"headers": dict(headers), "bytes": len(body), "curl": curl(url, headers, context.options.file)})
    return DONE


async def send_test(context: CommandContext) -> int:
    """Send a signed request to a running service: one that stores nothing, or with --file an order that is paid."""
    options = context.options
    body = await asyncio.to_thread(_body, options.file) if options.file else TEST_BODY
    headers = await _signed(context, body)
    if options.file and not context.applies(_("send the order to {url}; it will be paid").format(url=options.url)):
        context.answer({"url": options.url, "sent": False})
        return DONE
    answer = await _sent(context, options.url, headers, body)
    code = answer.headers.get("x-error-code")
    expected = (HTTPStatus.OK, HTTPStatus.ACCEPTED) if options.file else (HTTPStatus.BAD_REQUEST,)
    said = _MEANING.get(answer.status, N_("The service answers something else; see its log by the request id."))
    context.answer(
        {
            "url": options.url,
            "sent": True,
            "status": answer.status,
            "code": code,
            "request_id": answer.headers.get("x-request-id"),
            "meaning": _(said),
        }
    )
    return DONE if answer.status in expected else REFUSED


def secret_of(settings: WebhookSettings, shop: str) -> str:
    """Return the secret in use of *shop*. Raises CommandRefused, with the setting, where there is none."""
    name = SecretName(shop, "current")
    secret = settings.shop_secrets.get(name)
    if not secret:
        raise CommandRefused(
            _("The shop {shop} has no secret: {setting} is not set.").format(shop=shop, setting=name.setting)
        )
    return secret


def curl(url: str, headers: Mapping[str, str], file: Path | None) -> str:
    """Return the request as a command of the shell; the body's bytes are sent as they are in the file."""
    lines = [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items()]
    return " ".join(["curl -i", shlex.quote(url), *lines, "--data-binary", shlex.quote(f"@{file or '-'}")])


async def _signed(context: CommandContext, body: bytes) -> Mapping[str, str]:
    secret = secret_of(await context.parts.settings(WebhookSettings), context.options.shop)
    signed = signed_headers(
        secret,
        body,
        Scheme(context.options.scheme),
        now_s=context.clock() // 1_000,
        message_id=f"msg_{secrets.token_hex(12)}",
    )
    return {"Content-Type": "application/json", **signed}


async def _sent(context: CommandContext, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    guard = OutgoingGuard(inside=(await context.parts.settings(AlarmSettings)).inside_networks)
    return await guard.send(Request(url=url, method="POST", headers=headers, body=body), Limits(deadline_s=DEADLINE_S))


def _body(file: Path) -> bytes:
    """Return the bytes of *file*, which must be JSON. Raises CommandRefused."""
    try:
        body = file.read_bytes()
        json.loads(body)
    except (OSError, ValueError) as error:
        raise CommandRefused(
            _("{file} is no JSON file ({error}).").format(file=file, error=type(error).__name__)
        ) from None
    return body


def _signing(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--shop", type=words, default=DEFAULT_SOURCE, help=_("whose secret; the plain shop's if not given")
    )
    command.add_argument(
        "--scheme",
        choices=[scheme.value for scheme in Scheme],
        default=Scheme.STANDARD.value,
        help=_("how to sign; Standard Webhooks if not given"),
    )


def _sign_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help=_("the body, as it will be sent"))
    command.add_argument("--url", metavar="URL", help=_("where it will be sent, for the curl command"))
    _signing(command)


def _send_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("url", metavar="URL", help=_("the webhook of the service, https://…/webhook"))
    command.add_argument(
        "--file", type=Path, metavar="FILE", help=_("an order that is to be paid, instead of the test")
    )
    apply_argument(command)
    _signing(command)


COMMANDS = (
    Command(
        name="sign",
        summary=N_("sign a body as a shop does"),
        description=N_(
            "Print the headers that sign a file with a shop's configured secret, and the curl command that sends it. "
            "The secret itself is never shown. Signed times are good for five minutes."
        ),
        run=sign,
        arguments=_sign_arguments,
    ),
    Command(
        name="send-test",
        summary=N_("send a signed test to a running service"),
        description=N_(
            "Send a signed request that stores nothing, and say what the answer means: address, secret and signature "
            "are tried. With --file FILE --apply a real order is sent instead, and paid."
        ),
        run=send_test,
        arguments=_send_arguments,
    ),
)
