"""Repeating a call to storage as the platform's own libraries do, before they give it up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from azure.core.exceptions import AzureError, HttpResponseError

from devstack.host.times import Times

T = TypeVar("T")

_RETRIES = 5
_SERVER_ERROR = 500


async def patiently(call: Callable[[], Awaitable[T]], times: Times) -> T:
    """
    Return what *call* gives; ask again, ever later, while storage is away or in trouble.

    Raises:
        AzureError: It was still so after about 25 seconds, or storage refused the call for what it is.
    """
    for attempt in range(_RETRIES):
        try:
            return await call()
        except AzureError as why:
            if not is_outage(why):
                raise
        await asyncio.sleep(times.first_retry_s * 2**attempt)
    return await call()


def is_outage(why: AzureError) -> bool:
    """Tell whether storage was not reached, or answered that it cannot now."""
    return not isinstance(why, HttpResponseError) or was_answered(why)


def was_answered(why: AzureError) -> bool:
    """Tell whether storage itself answered with an error of its own (5xx): its listeners only look again later."""
    return isinstance(why, HttpResponseError) and (why.status_code or 0) >= _SERVER_ERROR
