"""What each kind of setting accepts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from foundation.settings import values


@pytest.mark.parametrize(
    ("accept", "text", "value"),
    [
        (values.whole(1, 9), "9", 9),
        (values.setting_name, "AzureWebJobsStorage", "AzureWebJobsStorage"),
        (values.table_name, "ledger1", "ledger1"),
        (values.seconds, "0.5", 0.5),
        (values.milliseconds, "0.5", 500),
        (values.yes_no, "TRUE", True),
        (values.yes_no, "0", False),
        (values.log_level, "info", "INFO"),
        (values.https_url, "https://a.example/?k=v", "https://a.example/?k=v"),
        (values.https_url, "http://127.0.0.1:1/", "http://127.0.0.1:1/"),
    ],
)
def test_it_accepts(accept: Callable[[str], object], text: str, value: object) -> None:
    """Text in, value out."""
    assert accept(text) == value


@pytest.mark.parametrize(
    ("accept", "text"),
    [
        (values.whole(1, 9), "10"),
        (values.whole(1, 9), "\u0663"),
        (values.setting_name, "Account=1;Key=2"),
        (values.table_name, "1a"),
        (values.seconds, "0.0"),
        (values.seconds, "86401"),
        (values.yes_no, "yes"),
        (values.log_level, "LOUD"),
        (values.https_url, "http://a.example"),
        (values.https_url, "@Microsoft.KeyVault(VaultName=a;SecretName=b)"),
    ],
)
def test_it_refuses_without_repeating(accept: Callable[[str], object], text: str) -> None:
    """It may be a secret."""
    with pytest.raises(ValueError, match=r"^(must|is) ") as refused:
        accept(text)
    assert text not in str(refused.value)
