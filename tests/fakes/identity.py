"""The app's identity, as the platform's endpoint gives it: signed in to the mail service and to nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from devstack.acs.server import TOKEN


class Identity:
    """A credential for one audience."""

    async def get_token(self, *scopes: str, **_: Any) -> Any:
        assert scopes == ("https://communication.azure.com/.default",)
        return SimpleNamespace(token=TOKEN)


@asynccontextmanager
async def signed_in() -> AsyncIterator[Identity]:
    """Stand for ``foundation.secrets.sign_in``."""
    yield Identity()
