"""
The client library's table service, without the steps of its pipeline that do nothing here.

Each request goes through every step, and a webhook's request does so while a shop waits. What is left out: proxies that
no setting names, redirects (a table's address gives none), and three that write lines or traces nobody turns on.
Signing, identities, resending, hosts, the reading of answers and our hook stay the library's.
"""

from __future__ import annotations

from typing import Any

from azure.core.pipeline.policies import (
    AsyncRedirectPolicy,
    DistributedTracingPolicy,
    HttpLoggingPolicy,
    NetworkTraceLoggingPolicy,
    ProxyPolicy,
)
from azure.data.tables.aio import TableServiceClient

_IDLE = (ProxyPolicy, AsyncRedirectPolicy, NetworkTraceLoggingPolicy, DistributedTracingPolicy, HttpLoggingPolicy)


class TableService(TableServiceClient):
    """A table service whose clients, and those of its tables, share a short pipeline."""

    def _configure_policies(self, **kwargs: Any) -> list[Any]:
        """Return the steps that do something; the library's version is pinned, and a test names what is left."""
        return [step for step in super()._configure_policies(**kwargs) if not isinstance(step, _IDLE)]
