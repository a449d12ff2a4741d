"""The log context of one invocation of a function, whatever triggered it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import azure.functions as func

from foundation import logs
from foundation.version import version


@contextmanager
def invocation(log: logging.Logger, context: func.Context, request_id: str) -> Iterator[None]:
    """Add function, invocation, request and version to every line logged inside; log how long it took."""
    started = time.monotonic()
    named = {"function": context.function_name, "invocation_id": context.invocation_id, "request_id": request_id}
    with logs.bound(**named, version=version()), logs.hushable():
        try:
            yield
        finally:
            logs.info(log, "function_ended", duration_ms=round((time.monotonic() - started) * 1000))
