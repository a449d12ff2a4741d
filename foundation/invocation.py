"""The log context of one invocation of a function, whatever triggered it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import azure.functions as func

from foundation import logs


@contextmanager
def invocation(log: logging.Logger, context: func.Context, request_id: str) -> Iterator[None]:
    """Add the function, the invocation and the request to every line logged inside; log how long it took."""
    started = time.monotonic()
    with logs.bound(function=context.function_name, invocation_id=context.invocation_id, request_id=request_id):
        try:
            yield
        finally:
            logs.info(log, "function_ended", duration_ms=round((time.monotonic() - started) * 1000))
