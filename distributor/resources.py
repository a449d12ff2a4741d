"""
The parts that use cases share: settings, storage, nodes, alarms.

A part is built at its first use, under a lock of its own, and a failure is not kept: once the
setting is right, the next call works. Imports are lazy, so that the webhook never loads web3.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from distributor.settings import Settings, Use, about, load, problems, secrets_of
from distributor.settings.shop_secrets import secret_name
from foundation import logs
from foundation.clock import Clock
from foundation.errors import ConfigurationError
from foundation.lazy import Lazy
from foundation.secrets.key_vault import KeyVaultSecrets
from foundation.secrets.sign_in import sign_in
from foundation.settings.references import is_reference
from foundation.settings.storage import storage

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport
    from pydantic import SecretStr

    from distributor.adapters.alarms import RegisteredAlarms
    from distributor.adapters.counters import LimitsCounters
    from distributor.chain.guard_chain import GuardContract
    from distributor.chain.history import ChainHistory
    from distributor.chain.polygon import Polygon
    from distributor.chain.rpc import Rpc
    from distributor.ledger import Ledger
    from distributor.model import Address
    from distributor.ports import Alarms, Counters, Signer
    from distributor.webhook.keyring import Keyring
    from foundation.alarms.register import Register, Target
    from foundation.queues import StorageQueues
    from foundation.settings.references import VaultItem
    from foundation.tablestore.azure_tables import Tables

T = TypeVar("T")

_HOST_STORAGE = "AzureWebJobsStorage"
_LEDGER_TABLE, _AUDIT_TABLE = "ledger", "audit"

_TITLE = "BALLX payouts"

_log = logging.getLogger(__name__)


class Resources:
    """
    What the use cases are built of, shared among them.

    Args:
        environ: The settings; read anew at each build.
        clock: The time.
        transport: Replaces the connection to the vault, for tests; None: the clients' own.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        clock: Clock,
        transport: AsyncHttpTransport[Any, Any] | None = None,
    ) -> None:
        self._environ, self._clock, self._transport = environ, clock, transport
        self._open = AsyncExitStack()
        self._secrets = KeyVaultSecrets(environ, sign_in=sign_in, clock=clock, transport=transport)
        self._open.push_async_callback(self._secrets.aclose)
        self._tables = Lazy(self._build_tables)
        self._queues = Lazy(self._build_queues)
        self._ledger = Lazy(self._build_ledger)
        self._keyring = Lazy(self._build_keyring)
        self._chain = Lazy(self._build_chain)
        self._rpc = Lazy(self._build_rpc)
        self._history = Lazy(self._build_history)
        self._guard = Lazy(self._build_guard)
        self._counters = Lazy(self._build_counters)
        self._alarms = Lazy(self._build_alarms)
        self._target = Lazy(self._build_target)
        self._vault_signers: dict[VaultItem, Lazy[Signer]] = {}

    async def aclose(self) -> None:
        """Close every client that was opened, the last first."""
        await self._open.aclose()

    async def settings(self, use: Use) -> Settings:
        """Return what *use* needs, its secrets resolved. Raises ConfigurationError with all that is wrong."""
        environ, unresolved = await self._resolved(use)
        return load(environ, use, unresolved)

    async def wrong_settings(self) -> Sequence[str]:
        """Return the names of the settings that some use case misses or cannot read, secrets among them."""
        resolved = [(use, *await self._resolved(use)) for use in Use]
        found = [problem for use, environ, unresolved in resolved for problem in problems(environ, use, unresolved)]
        return sorted({problem.setting for problem in found})

    async def tables(self) -> Tables:
        """Return the storage, whether or not its tables exist."""
        return await self._tables.get()

    async def queues(self) -> StorageQueues:
        """Return the queues of wake-ups, in the account of the Functions host."""
        return await self._queues.get()

    async def ledger(self) -> Ledger:
        return await self._ledger.get()

    async def keyring(self) -> Keyring:
        """Return the shops' secrets; those of a vault are renewed from then on."""
        return await self._keyring.get()

    async def chain(self) -> Polygon:
        return await self._chain.get()

    async def rpc(self) -> Rpc:
        return await self._rpc.get()

    async def history(self) -> ChainHistory:
        return await self._history.get()

    async def guard(self) -> GuardContract:
        return await self._guard.get()

    async def signer(self, settings: Settings) -> Signer:
        """Return the operator who signs payouts, by its key or by the vault that keeps it."""
        return await self._signer("OPERATOR_KEY_ID", settings.operator_pk, settings.operator_key)

    async def signers(self, settings: Settings) -> Mapping[Address, Signer]:
        """Return every operator whose key is configured, the retiring one among them."""
        found = [await self.signer(settings)]
        retiring = (settings.operator_pk_retiring, settings.operator_key_retiring)
        if any(retiring):
            found.append(await self._signer("OPERATOR_KEY_ID_RETIRING", *retiring))
        return {signer.address: signer for signer in found}

    async def counters(self) -> Counters:
        """Return the counters of requests."""
        return await self._counters.get()

    async def alarms(self) -> Alarms:
        """Return where alarms are raised: the log, and the register that the sweep tells from."""
        return await self._alarms.get()

    async def _resolved(self, use: Use) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return the settings with the secrets of *use* in place, and why the others could not be resolved."""
        environ, unresolved = dict(self._environ), dict[str, str]()
        for name in [*secrets_of(use, self._environ), *self._referring_connection()]:
            try:
                environ[name] = await self._secrets.get(name) or ""
            except ConfigurationError as error:
                unresolved[name] = str(error).removeprefix(f"{name} ")
        return environ, unresolved

    def _referring_connection(self) -> Sequence[str]:
        """Return the storage account's setting where it is a reference; elsewhere no vault is asked for it."""
        name = self._environ.get("LEDGER_CONNECTION", "").strip() or about()["LEDGER_CONNECTION"].default or ""
        return [name] if is_reference(self._environ.get(name, "").strip()) else []

    async def _signer(self, setting: str, key: SecretStr | None, in_vault: VaultItem | None) -> Signer:
        if key is not None:
            from distributor.signing.signer import LocalSigner

            return LocalSigner(key.get_secret_value())
        if in_vault is None:
            raise ConfigurationError(f"{setting} is not set, and no private key either")
        return await self._vault_signers.setdefault(in_vault, self._vault_signer(setting, in_vault)).get()

    def _vault_signer(self, setting: str, item: VaultItem) -> Lazy[Signer]:
        async def build() -> Signer:
            from distributor.signing.vault_signer import connect

            signer = await connect(setting, item, credential=sign_in(), transport=self._transport)
            self._open.push_async_callback(signer.aclose)
            return signer

        return Lazy(build)

    async def _build_tables(self) -> Tables:
        from foundation.tablestore.azure_tables import connect

        environ, unresolved = await self._resolved(Use.SWEEP)
        settings = load(environ, Use.SWEEP, unresolved)
        account = storage(environ, settings.ledger_connection)
        tables = connect(
            connection_string=account.connection_string,
            table_endpoint=account.table_endpoint,
            credential=account.credential,
            client_id=account.client_id,
            partition=str(settings.chain_id),
            table=settings.ledger_table,
            audit_table=_audit_table(settings.ledger_table),
        )
        self._open.push_async_callback(tables.aclose)
        return tables

    async def _build_queues(self) -> StorageQueues:
        from foundation.queues import connect

        environ, _ = await self._resolved(Use.SWEEP)
        account = storage(environ, _HOST_STORAGE)
        tables = None if account.connection_string else await self.tables()
        queues = connect(account, tables.credential if tables else None)
        self._open.push_async_callback(queues.aclose)
        return queues

    async def _build_ledger(self) -> Ledger:
        from distributor.ledger import Ledger

        tables = await self.tables()
        ledger = Ledger(tables.rows, tables.audit, clock=self._clock)
        self._open.push_async_callback(ledger.aclose)
        return ledger

    async def _build_keyring(self) -> Keyring:
        from distributor.webhook.keyring import Keyring

        settings = await self.settings(Use.INTAKE)
        names = [name for name in secrets_of(Use.INTAKE, self._environ) if self._secrets.place(name)]
        keyring = Keyring(
            settings.shop_secrets,
            renewed=[secret_name(name) for name in names],
            read=partial(self._secrets.get, fresh=True),
            refresh_s=settings.secrets_refresh_s,
            sleep=asyncio.sleep,
        )
        self._open.push_async_callback(keyring.aclose)
        keyring.start()
        return keyring

    async def _build_chain(self) -> Polygon:
        from distributor.chain.polygon import Polygon

        settings = await self.settings(Use.READINESS)
        chain = Polygon(
            settings.rpc_urls,
            chain_id=settings.chain_id,
            token=settings.token,
            authority=settings.authority,
            reserve=settings.reserve,
            timeout_s=settings.rpc_timeout_s,
            clock=self._clock,
        )
        self._open.push_async_callback(chain.aclose)
        return chain

    async def _build_rpc(self) -> Rpc:
        from distributor.chain.rpc import Rpc

        settings = await self.settings(Use.READINESS)
        rpc = Rpc(settings.rpc_urls, timeout_s=settings.rpc_timeout_s)
        self._open.push_async_callback(rpc.aclose)
        return rpc

    async def _build_history(self) -> ChainHistory:
        from distributor.chain.history import ChainHistory
        from distributor.chain.polygon import nodes_of

        settings = await self.settings(Use.READINESS)
        nodes = nodes_of(
            settings.rpc_urls, chain_id=settings.chain_id, timeout_s=settings.rpc_timeout_s, clock=self._clock
        )
        history = ChainHistory(nodes, token=settings.token, reserve=settings.reserve)
        self._open.push_async_callback(history.aclose)
        return history

    async def _build_guard(self) -> GuardContract:
        from distributor.chain.guard_chain import GuardContract
        from distributor.chain.polygon import nodes_of

        settings = await self.settings(Use.READINESS)
        nodes = nodes_of(
            settings.rpc_urls, chain_id=settings.chain_id, timeout_s=settings.rpc_timeout_s, clock=self._clock
        )
        guard = GuardContract(nodes, guard=settings.guard, authority=settings.authority)
        self._open.push_async_callback(guard.aclose)
        return guard

    async def _build_counters(self) -> LimitsCounters:
        from distributor.adapters.counters import LimitsCounters

        url = (await self.settings(Use.GATE)).rate_limit_storage
        counters = LimitsCounters(url.get_secret_value() if url else "", clock=self._clock)
        self._open.push_async_callback(counters.aclose)
        return counters

    async def _build_alarms(self) -> RegisteredAlarms:
        from distributor.adapters.alarms import LogAlarms, OnceAnHour, RegisteredAlarms

        return RegisteredAlarms(OnceAnHour(LogAlarms(), self._clock), self.register, self._clock)

    async def register(self) -> Register:
        """Return the register of standing alarms, in the ledger's own partition."""
        from distributor.payout.catalogue import CATALOGUE
        from foundation.alarms.register import Register

        return Register(rows=(await self.tables()).rows, clock=self._clock, catalogue=CATALOGUE)

    async def _build_target(self) -> Target:
        from foundation.alarms.targets import AllTargets, LogTarget, WebhookTarget
        from foundation.outgoing.guard import OutgoingGuard

        settings = await self.settings(Use.ALARMS)
        url, language = settings.alarm_webhook_url, settings.alarm_language
        log = LogTarget(language)
        if url is None:
            return log
        guard = OutgoingGuard(inside=settings.inside_networks)
        post = WebhookTarget(guard=guard, url=url.get_secret_value(), title=_TITLE, language=language)
        return AllTargets([log, post])

    async def target(self) -> Target:
        """Return where the sweep tells alarms: the log alone, as long as the webhook's settings are wrong."""
        try:
            return await self._target.get()
        except ConfigurationError as error:
            from foundation.alarms.targets import LogTarget

            logs.error(_log, "alarms_not_configured", why=str(error))
            return LogTarget()


def _audit_table(ledger_table: str) -> str:
    """Return the audit trail's table: two ledgers in one account keep two trails."""
    return _AUDIT_TABLE if ledger_table == _LEDGER_TABLE else f"{ledger_table}{_AUDIT_TABLE}"
