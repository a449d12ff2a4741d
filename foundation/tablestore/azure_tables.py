"""
Rows and audit on Azure Tables.

The client library may send a write again by itself, and a broken connection may hide a success:
neither is judged here. A group's refusal is a Conflict, its silence OutcomeUnknown, and what was
really done is read back by the ledger.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.request import getproxies

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ResourceExistsError
from azure.core.pipeline.policies import RetryMode
from azure.core.rest import HttpRequest
from azure.data.tables import EdmType, EntityProperty, TableEntity
from azure.data.tables.aio import TableClient, TableServiceClient

from foundation import logs
from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.secrets.sign_in import azure_credential
from foundation.settings.storage import Storage
from foundation.tablestore import batch_body
from foundation.tablestore.atomic import check_writes
from foundation.tablestore.batch_body import GroupBody, RowAnswer, UnreadableGroupAnswer
from foundation.tablestore.ports import (
    OutcomeUnknown,
    Row,
    RowWrite,
    Value,
    Version,
    WriteConflict,
)
from foundation.tablestore.service_clock import ServiceClock
from foundation.tablestore.table_errors import GroupRefused, library_error, service_error
from foundation.tablestore.table_service import TableService

CONNECT_TIMEOUT_S = 3
READ_TIMEOUT_S = 5
"""A shop waits for the webhook's answer: better a 503 it repeats than a hanging request."""
CALL_S_MAX = 5
"""Of one call, the library's own second sending and its obedience to ``Retry-After`` included: no peer decides how long
we wait. Source: the client sleeps as long as ``Retry-After`` says, without a bound (azure-core RetryPolicy)."""
RESENDS_MAX = 1
"""The ledger sends a group again itself, and knows afterwards what was done."""
RESEND_PAUSE_S = 0.2
PAGE_ROWS_MAX = 1000
"""What the service returns at most in one answer."""
_GROUP_HEADERS = {"DataServiceVersion": "3.0", "MaxDataServiceVersion": "3.0;NetFx", "Accept": "application/json"}
_SUCCESS = range(200, 300)

_log = logging.getLogger(__name__)


class TableRows:
    """The ``Rows`` port on one partition of a table."""

    def __init__(self, client: TableClient, partition: str) -> None:
        self._client, self._partition = client, partition

    async def get(self, key: str) -> Row | None:
        try:
            async with _asked(StoreUnavailable):
                return _row(await self._client.get_entity(self._partition, key))
        except WriteConflict:  # not found: a read has no other condition to fail
            return None

    async def scan(self, first: str, last: str, *, limit: int) -> Sequence[Row]:
        rows: list[Row] = []
        pages = self._client.query_entities(
            "PartitionKey eq @partition and RowKey ge @first and RowKey lt @last",
            parameters={"partition": self._partition, "first": first, "last": last},
            results_per_page=min(limit, PAGE_ROWS_MAX),
        ).by_page()
        while len(rows) < limit:
            page = await _page(pages)
            if page is None:
                break
            rows += page
        return rows[:limit]

    async def commit(self, group: Sequence[RowWrite]) -> Mapping[str, Version]:
        check_writes(group)
        table_url = f"{self._client.url}/{self._client.table_name}"
        async with _asked(OutcomeUnknown):
            parts = await self._parts(batch_body.encode_group(table_url, self._partition, group))
        return batch_body.written_versions(group, parts)

    async def aclose(self) -> None:
        await self._client.close()

    async def _parts(self, body: GroupBody) -> Sequence[RowAnswer]:
        """Send a group over the library's own pipeline, which signs it and sends it again; return what became of it."""
        headers = {"Content-Type": body.content_type, "x-ms-version": self._client.api_version, **_GROUP_HEADERS}
        request = HttpRequest("POST", f"{self._client.url}/$batch", headers=headers, content=body.content)
        # The library shows no other way for a body of one's own; its version is pinned, and every group comes by here.
        # One layer further out, each request is copied first, for an address that would be filled into it.
        answer = await self._client._client._client.send_request(request, stream=True)  # noqa: SLF001
        content = await answer.read()
        if answer.status_code != HTTPStatus.ACCEPTED:
            code = answer.headers.get("x-ms-error-code") or batch_body.error_code(content)
            raise GroupRefused(answer.status_code, code)
        return _done(batch_body.decode_answer(answer.headers.get("Content-Type", ""), content))


def _done(parts: Sequence[RowAnswer]) -> Sequence[RowAnswer]:
    """Return *parts* where no row was refused. Raises GroupRefused with the word about the first that was."""
    for part in parts:
        if part.status not in _SUCCESS:
            raise GroupRefused(part.status, part.code)
    return parts


AUDIT_ENTRIES_MAX = 100_000
"""A bound on one look into the audit trail."""


class TableAudit:
    """The ``AuditTrail`` port on one partition of a table; the service's own timestamp says when."""

    def __init__(self, client: TableClient, partition: str) -> None:
        self._client, self._partition = client, partition

    async def recorded(self, prefix: str) -> Sequence[Mapping[str, Value]]:
        last = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        rows = await TableRows(self._client, self._partition).scan(prefix, last, limit=AUDIT_ENTRIES_MAX)
        return [row.values for row in rows]

    async def record(self, key: str, values: Mapping[str, Value]) -> None:
        try:
            async with asyncio.timeout(CALL_S_MAX):
                await self._client.create_entity({"PartitionKey": self._partition, "RowKey": key} | _columns(values))
        except ResourceExistsError:
            logs.info(_log, "audit_repeated", key=key)
        except (AzureError, TimeoutError) as error:  # best effort: what was done is in the ledger itself
            logs.warning(_log, "audit_not_written", key=key, error=type(error).__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """The ledger's two tables, one partition of each, and the connection they share."""

    rows: TableRows
    audit: TableAudit
    names: tuple[str, str]
    partition: str
    service: TableServiceClient
    credential: AsyncTokenCredential | None

    def rows_of(self, partition: str) -> TableRows:
        """Return another partition of the ledger's table, over the same connection."""
        return TableRows(self.service.get_table_client(self.names[0]), partition)

    @property
    def audit_rows(self) -> TableRows:
        """The audit trail as rows, for its backup."""
        return TableRows(self.service.get_table_client(self.names[1]), self.partition)

    def audit_of(self, partition: str) -> TableAudit:
        """Return another partition of the audit trail's table, over the same connection."""
        return TableAudit(self.service.get_table_client(self.names[1]), partition)

    async def ensure(self) -> None:
        """Create the tables that are missing."""
        for name in self.names:
            async with _asked(StoreUnavailable):
                await self.service.create_table_if_not_exists(name)

    async def aclose(self) -> None:
        await self.service.close()
        if self.credential:
            await self.credential.close()


def connect_tables(
    account: Storage,
    *,
    partition: str,
    table: str = "ledger",
    audit_table: str = "audit",
    service_clock: ServiceClock | None = None,
) -> Tables:
    """
    Return the tables of a storage account, without asking it anything yet.

    Args:
        account: Where it is, and who signs in; the Azure identity library is imported only for an identity.
        partition: The partition of ``rows`` and ``audit``: the chain id, or a company.
        table: Name of the ledger's table.
        audit_table: Name of the audit trail's table.
        service_clock: Receives the time of each answer; None: nobody compares it.

    Raises:
        ConfigurationError: The connection string or the endpoint cannot be used.
    """
    identity = azure_credential(account.credential, account.client_id) if account.credential else None
    try:
        service = _service(account.connection_string, account.table_endpoint, identity, service_clock)
    except ValueError as error:  # never repeats the connection string
        raise ConfigurationError(f"the storage account of the ledger cannot be used: {error}") from None
    return Tables(
        rows=TableRows(service.get_table_client(table), partition),
        audit=TableAudit(service.get_table_client(audit_table), partition),
        names=(table, audit_table),
        partition=partition,
        service=service,
        credential=identity,
    )


def _service(
    connection_string: str, endpoint: str, identity: AsyncTokenCredential | None, service_clock: ServiceClock | None
) -> TableServiceClient:
    limits: dict[str, Any] = {
        "retry_total": RESENDS_MAX,
        "retry_mode": RetryMode.Fixed,
        "retry_backoff_factor": RESEND_PAUSE_S,
        "connection_timeout": CONNECT_TIMEOUT_S,
        "read_timeout": READ_TIMEOUT_S,
        # With it, the HTTP client asks .netrc and the proxies of the environment in a thread each, at every request.
        "use_env_settings": bool(getproxies()),
    }
    if service_clock:
        limits["raw_response_hook"] = service_clock.note
    if identity:
        return TableService(endpoint, credential=identity, **limits)
    return TableService.from_connection_string(connection_string, **limits)


async def _page(pages: AsyncIterator[AsyncIterator[TableEntity]]) -> list[Row] | None:
    """Return the rows of the next page; None after the last one."""
    async with _asked(StoreUnavailable):
        try:
            page = await anext(pages)
        except StopAsyncIteration:
            return None
        return [_row(entity) async for entity in page]


def _columns(values: Mapping[str, Value]) -> dict[str, Any]:
    """Return *values* for the wire; a plain int would be an Int32, too small for a time or a nonce."""
    return {name: (value, EdmType.INT64) if type(value) is int else value for name, value in values.items()}


def _row(entity: TableEntity) -> Row:
    values = {name: value for name, value in entity.items() if name not in ("PartitionKey", "RowKey")}
    plain = {name: value.value if isinstance(value, EntityProperty) else value for name, value in values.items()}
    return Row(key=entity["RowKey"], values=plain, version=Version(str(entity.metadata["etag"])))


@asynccontextmanager
async def _asked(unanswered: Callable[[str], Exception]) -> AsyncIterator[None]:
    """Ask within our own deadline, and raise what an error means; *unanswered* is what silence means here."""
    try:
        async with asyncio.timeout(CALL_S_MAX):
            yield
    except TimeoutError:
        raise unanswered(f"no answer from the ledger's storage within {CALL_S_MAX} s") from None
    except GroupRefused as error:
        raise service_error(error.status, error.code, str(error), unanswered) from error
    except UnreadableGroupAnswer as error:
        raise unanswered(f"no usable answer from the ledger's storage ({error})") from error
    except AzureError as error:
        raise library_error(error, unanswered) from error
