"""The context of a command: what a person asked, what is shown to them, what the command is built of."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from distributor.cli.language import N_, _
from distributor.cli.tables import answer_lines
from distributor.ledger import Ledger
from distributor.ledger.rebuild_store import RebuildStore
from distributor.model import Address
from distributor.payout.preflight import identity_mismatch
from distributor.resources import Resources
from distributor.settings.chain import ContractSettings
from distributor.settings.operations import StorageSettings
from distributor.settings.use_cases import HistorySettings, InitSettings
from foundation.alarms.model import Notification
from foundation.clock import Clock
from foundation.errors import ServiceError
from foundation.settings.groups import SettingsGroup

DONE, REFUSED, NOT_CONFIGURED = 0, 1, 2
_CHAINS = {137: N_("Polygon"), 80002: N_("Amoy, the test network of Polygon")}

Say = Callable[[str], None]
G = TypeVar("G", bound=SettingsGroup)


def chain_name(chain_id: int) -> str:
    """Return what a chain is called, or that it is neither Polygon nor its test network."""
    return _(_CHAINS.get(chain_id, N_("neither Polygon nor its test network")))


class CommandRefused(ServiceError):
    """Nothing was written; the message says why, and what to do."""


class CommandContext:
    """
    One command's surroundings.

    Args:
        parts: What the commands are built of; closed by the caller that made them.
        options: What was asked, as the parser read it.
        say: Where progress is printed: standard output, or the error stream with ``--json``.
        show: Where the answer goes.
        environ: The settings as they are written, before any secret is read.
    """

    def __init__(
        self,
        parts: Resources,
        options: Namespace,
        *,
        clock: Clock,
        say: Say,
        show: Say,
        environ: Mapping[str, str] = MappingProxyType({}),
        columns: int | None = None,
    ) -> None:
        """*columns*: of the terminal that reads the answer; None: a file or a pipe does."""
        self.parts, self.options, self.say, self.clock, self.environ = parts, options, say, clock, environ
        self._show, self._columns = show, columns

    async def begin(self, group: type[G]) -> G:
        """Return the settings of *group*. Chain and table are shown before anything is asked, then the operators."""
        settings = await self.parts.settings(group)
        storage = await self.parts.settings(StorageSettings)
        account = urlsplit((await self.parts.tables()).service.url).netloc
        self.say(
            _("Chain:    {chain_id} ({name})").format(chain_id=storage.chain_id, name=chain_name(storage.chain_id))
        )
        self.say(_("Ledger:   table {table} at {account}").format(table=storage.ledger_table, account=account))
        for operator in await self._operators(settings):
            self.say(_("Operator: {operator}").format(operator=operator))
        return settings

    def applies(self, action: str) -> bool:
        """Return whether to do *action*; a dry run prints what would be done."""
        if not self.options.apply:
            self.say(_("Dry run: would {action}. Do it with --apply.").format(action=action))
        return bool(self.options.apply)

    def why(self) -> str:
        """Return the reason for the audit trail. Raises CommandRefused where none was given."""
        why: str | None = self.options.why
        if why is None:
            raise CommandRefused(_('Say why, for the audit trail: --why "WORDS".'))
        return why

    def show(self, line: str) -> None:
        """Show a line of an answer that is no document."""
        self._show(line)

    def headline(self, line: str, action: str) -> None:
        """Show the line to read first, and what to do under it; not among JSON."""
        if not self.options.json:
            self._show(line)
            if action:
                self._show(f"  {action}")

    def answer(self, document: Mapping[str, Any]) -> None:
        """Show the command's answer, as JSON where that was asked for."""
        if self.options.json:
            self._show(json.dumps(document, indent=2))
            return
        for line in answer_lines(document, columns=self._columns):
            self._show(line)

    async def ledger(self) -> Ledger:
        return await self.parts.ledger()

    async def our_ledger(self, *, only_stops: bool = False) -> Ledger:
        """
        Return the ledger, unless it is nobody's or the settings mean another one.

        What is written to nobody's would stand in the way of its founding. With the reserve or the token of
        another one a paid order would be held, and paid again; what *only_stops* payouts may always be done.
        """
        ledger = await self.parts.ledger()
        identity = await ledger.identity()
        if identity is not None and not only_stops:
            expected = (await self.parts.settings(ContractSettings)).identity
            if difference := identity_mismatch(identity, expected):
                raise CommandRefused(
                    _("The settings mean another ledger; nothing was changed. {difference}").format(
                        difference=difference
                    )
                )
        if identity is None:
            raise CommandRefused(
                _("This ledger has no identity: it was never initialised, or it is lost. Nothing is paid from it.")
            )
        return ledger

    async def notifications(self) -> Mapping[str, Notification]:
        """Return what was sent of each alarm."""
        return await (await self.parts.register()).notifications()

    async def rebuild_store(self) -> RebuildStore:
        return RebuildStore((await self.parts.tables()).rows, self.clock)

    async def _operators(self, settings: SettingsGroup) -> Sequence[Address]:
        """Return the operators with a configured key; where no key is needed, those the ledger knows."""
        match settings:
            case HistorySettings(payout=payout):
                signing = payout.signing
            case InitSettings(signing=own):
                signing = own
            case _:
                return list(await (await self.rebuild_store()).operators())
        return [signer.address for signer in (await self.parts.operator_keys.lanes(signing)).values()]
