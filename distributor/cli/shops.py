"""``shops list``, ``shops accept`` and ``shops same-as``: whose secret is whose."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from distributor.cli.argument_types import shop_argument
from distributor.cli.common_arguments import apply_argument, by_and_why
from distributor.cli.context import DONE, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.payout.shop_words import KnownSecret, ShopWords
from distributor.settings.operations import StorageSettings
from distributor.settings.shop_secrets import SecretName
from distributor.status import rfc3339
from foundation.errors import ConfigurationError


async def shops(context: CommandContext) -> int:
    """Show whose each secret is, or say it of one."""
    await context.begin(StorageSettings)
    shop_words = ShopWords(ledger=await context.our_ledger())
    known = await shop_words.secrets(await _configured(context))
    if context.options.action == "list":
        context.answer({"secrets": [_line(each) for each in known]})
        return DONE
    secret = _meant(context, {each.id: each for each in known})
    return await (_accept if context.options.action == "accept" else _same_as)(context, shop_words, secret)


async def _accept(context: CommandContext, shop_words: ShopWords, secret: KnownSecret) -> int:
    name, by = _source(context), context.options.by
    await shop_words.refuse_accept(secret, name)
    if context.applies(
        _("take secret {secret} for another shop's, named {source}; {count} orders wait").format(
            secret=secret.id, source=name, count=secret.waiting
        )
    ):
        await shop_words.accept(secret, name, by=by, why=context.why())
        context.say(_("The sweep wakes its orders within a minute."))
    context.answer({"secret": secret.id, "source": name})
    return DONE


async def _same_as(context: CommandContext, shop_words: ShopWords, secret: KnownSecret) -> int:
    name, by = _source(context), context.options.by
    await shop_words.refuse_same_as(secret, name)
    spent = []
    if context.applies(
        _("take secret {secret} for {source}'s; {count} orders wait").format(
            secret=secret.id, source=name, count=secret.waiting
        )
    ):
        spent = [str(key) for key in await shop_words.same_as(secret, name, by=by, why=context.why())]
        context.say(_("The sweep wakes its orders within a minute."))
    context.answer({"secret": secret.id, "source": name, "cancelled": spent})
    return DONE


def _meant(context: CommandContext, known: Mapping[str, KnownSecret]) -> KnownSecret:
    found = [each for name, each in known.items() if name.startswith(context.options.secret or " ")]
    if len(found) != 1:
        raise CommandRefused(
            _("{count} secrets begin with {secret}; `shops list` shows their ids.").format(
                count=len(found), secret=context.options.secret
            )
        )
    return found[0]


def _source(context: CommandContext) -> str:
    name: str | None = context.options.source
    if name is None:
        raise CommandRefused(_("Which source? Give its name behind the secret's id."))
    return name


async def _configured(context: CommandContext) -> Mapping[SecretName, str]:
    """Return the fingerprint of each configured secret; none where the settings or their vault cannot be read."""
    try:
        secrets = await context.parts.shop_secrets()
    except ConfigurationError as error:
        context.say(
            _("The shops' secrets cannot be read here; only the ledger's are shown: {error}").format(error=error)
        )
        return {}
    return await (await context.parts.fingerprints()).of_all(secrets)


def _line(known: KnownSecret) -> dict[str, object]:
    said = known.registered
    return {
        "secret": known.id,
        "source": said.source if said else None,
        "said_by": said.by if said else None,
        "how": said.how if said else None,
        "since": rfc3339(said.at_ms) if said else None,
        "setting": known.setting,
        "waiting": known.waiting,
        "came_as": ", ".join(sorted(known.names)) or None,
    }


def _arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=["list", "accept", "same-as"], help=_("see; another shop; the same shop"))
    command.add_argument("secret", nargs="?", metavar="SECRET", help=_("the secret's id, or how it begins"))
    command.add_argument("source", nargs="?", type=shop_argument, metavar="SOURCE", help=_("the shop's name"))
    apply_argument(command)
    by_and_why(command, _("for the audit trail; needed to change something"))


COMMANDS = (
    Command(
        name="shops",
        summary=N_("show whose secrets are whose, or say it"),
        description=N_(
            "list: every secret by its id, whose it is, which setting holds it, how many orders wait for a word.\n"
            "accept SECRET SOURCE: the secret is another shop's, which gets that name.\n"
            "same-as SECRET SOURCE: the shop of that name signs with this secret now; none of its old orders is paid "
            "again."
        ),
        run=shops,
        arguments=_arguments,
    ),
)
