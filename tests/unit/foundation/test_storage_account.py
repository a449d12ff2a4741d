"""How a request to a service of a storage account is signed: by a key, or by an identity."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from foundation.errors import ConfigurationError
from foundation.storage_account import ServiceAccount, account_of


async def test_an_identity_signs_with_a_token_for_storage() -> None:
    """Asked for storage alone."""
    asked = list[str]()

    async def get_token(*scopes: str) -> Any:
        asked.extend(scopes)
        return SimpleNamespace(token="abc")

    credential: Any = SimpleNamespace(get_token=get_token)
    account = ServiceAccount(url="https://a.blob.core.windows.net", credential=credential)

    signed = await account.signed("GET", account.url, {})

    assert signed["Authorization"] == "Bearer abc"
    assert asked == ["https://storage.azure.com/.default"]


async def test_a_key_signs_without_a_token() -> None:
    """The emulator's key is published."""
    account = account_of("UseDevelopmentStorage=true", "blob")

    signed = await account.signed("GET", f"{account.url}/backups", {})

    assert signed["Authorization"].startswith("SharedKey devstoreaccount1:")


@pytest.mark.parametrize("text", ["", "AccountName=a", "AccountKey=c2VjcmV0", "nonsense"])
def test_a_connection_string_that_names_no_account_or_key_is_refused(text: str) -> None:
    """And never repeated: it may hold the key."""
    with pytest.raises(ConfigurationError, match="no AccountName or no AccountKey") as refused:
        account_of(text, "blob")
    assert "c2VjcmV0" not in str(refused.value)
