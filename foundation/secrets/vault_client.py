"""How a vault is asked, for secrets and keys alike: how long we wait, how often we ask again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport

CALL_S_MAX = 8
"""
Of one call, sign-in, second sending and obedience to ``Retry-After`` included.

A signature is asked for under a lease of 30 s; a vault that says "again in a minute" must not outlast it.
"""
_CONNECT_S = 5
_READ_S = 5
_RETRIES = 2
_BACKOFF_S = 0.2


def options(transport: AsyncHttpTransport[Any, Any] | None) -> dict[str, Any]:
    """Return what every client of a vault is made with; *transport*, if given, replaces its connection."""
    waits = {"connection_timeout": _CONNECT_S, "read_timeout": _READ_S}
    again = {"retry_total": _RETRIES, "retry_backoff_factor": _BACKOFF_S}
    return {**waits, **again, **({"transport": transport} if transport else {})}


@asynccontextmanager
async def deadline() -> AsyncIterator[None]:
    """End a call to a vault by our own deadline, as if it had not answered. Raises ServiceResponseError."""
    from azure.core.exceptions import ServiceResponseError  # noqa: PLC0415 -- only where a vault is needed

    try:
        async with asyncio.timeout(CALL_S_MAX):
            yield
    except TimeoutError:
        raise ServiceResponseError(f"no answer within {CALL_S_MAX} s") from None
