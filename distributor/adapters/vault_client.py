"""How a vault is asked, for secrets and keys alike: how long we wait, how often we ask again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport

_CONNECT_S = 5
_READ_S = 10
_RETRIES = 2
_BACKOFF_S = 0.2


def options(transport: AsyncHttpTransport[Any, Any] | None) -> dict[str, Any]:
    """Return what every client of a vault is made with; *transport* stands between it and the network, if given."""
    waits = {"connection_timeout": _CONNECT_S, "read_timeout": _READ_S}
    again = {"retry_total": _RETRIES, "retry_backoff_factor": _BACKOFF_S}
    return {**waits, **again, **({"transport": transport} if transport else {})}
