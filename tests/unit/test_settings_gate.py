"""The settings of the gate: limits, where they are counted, and which header to believe about an address."""

from __future__ import annotations

import pytest

from distributor.rates import Rate
from distributor.settings import ALL
from distributor.settings.shops import RateLimitSettings
from foundation.errors import ConfigurationError
from foundation.settings.reading import problems, read_group


def test_the_gate_needs_no_setting() -> None:
    """Out of the box it limits, counts in memory and believes no proxy."""
    settings = read_group(RateLimitSettings, {})

    assert (settings.rate_per_address, settings.rate_per_source) == (Rate(120, 60), Rate(1_200, 60))
    assert (settings.rate_limit_storage, settings.trusted_proxies) == (None, 0)


def test_a_limit_of_zero_is_off() -> None:
    """For who limits in front of Azure."""
    settings = read_group(RateLimitSettings, {"RATE_LIMIT_PER_ADDRESS": "0", "RATE_LIMIT_PER_SOURCE": "0"})

    assert (settings.rate_per_address, settings.rate_per_source) == (None, None)


@pytest.mark.parametrize("url", ["redis://10.0.0.4:6379/0", "rediss://:a-key@ballx.redis.cache.windows.net:6380"])
def test_a_redis_is_taken_by_its_url(url: str) -> None:
    """With TLS or without, and never shown: the URL carries the key."""
    settings = read_group(RateLimitSettings, {"RATE_LIMIT_STORAGE": url})

    assert settings.rate_limit_storage is not None
    assert settings.rate_limit_storage.get_secret_value() == url
    assert url not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RATE_LIMIT_PER_ADDRESS", "77"),
        ("RATE_LIMIT_PER_SOURCE", "lots/minute"),
        ("RATE_LIMIT_STORAGE", "memory://"),
        ("RATE_LIMIT_STORAGE", "redis:///a-key"),
        ("RATE_LIMIT_STORAGE", "ballx.redis.cache.windows.net:6380,password=a-key"),
        ("RATE_LIMIT_STORAGE", "@Microsoft.KeyVault(VaultName=ballx;SecretName=RATE-LIMIT-STORAGE)"),
        ("TRUSTED_PROXIES", "-1"),
        ("TRUSTED_PROXIES", "all"),
    ],
)
def test_what_the_gate_cannot_use_is_named_and_not_repeated(name: str, value: str) -> None:
    """A limit that is not understood is no limit; a key in a wrong place is still a key."""
    with pytest.raises(ConfigurationError) as refused:
        read_group(RateLimitSettings, {name: value})

    assert str(refused.value).startswith(f"{name} ")
    assert value not in str(refused.value)


def test_a_limit_set_wrong_does_not_stop_payouts() -> None:
    """The webhook alone needs it."""
    found = {
        use
        for use in ALL
        for problem in problems(use, {"TRUSTED_PROXIES": "all"}, {})
        if problem.setting == "TRUSTED_PROXIES"
    }

    assert found == {RateLimitSettings}
