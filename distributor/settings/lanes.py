"""The settings of further lanes: an operator each, with a key of its own that no other lane has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from foundation.settings.groups import Problem

NO_VAULT = "is a key in a vault, and BALLX_USE_KV=0 forbids asking one"


def lane_setting(setting: str, lane: str) -> str:
    """Return the setting that holds *lane*'s key, beside *setting* of the lane without a name."""
    return f"{setting}__{lane.upper().replace('-', '_')}" if lane else setting


def is_of_a_lane(setting: str) -> bool:
    """Say whether *setting* holds the key of a further lane: a wrong one stops no other lane."""
    return setting.startswith((_PK.of("x")[:-1], _KEY_ID.of("x")[:-1]))


class _Kind(NamedTuple):
    """One of the two kinds of keys: its setting, and where the values of each are."""

    setting: str
    one: str
    lanes: str

    def of(self, lane: str) -> str:
        """Return the setting of *lane*; of the one without a name where it is empty."""
        return lane_setting(self.setting, lane)


_PK = _Kind("OPERATOR_PK", "operator_pk", "lane_pks")
_KEY_ID = _Kind("OPERATOR_KEY_ID", "operator_key", "lane_keys")


def disagreements(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield each lane with two keys, with a key in a vault that may not be asked, or with another lane's key."""
    in_vault = values.get("lane_keys", {})
    for name in in_vault.keys() & values.get("lane_pks", {}).keys():
        yield Problem(_KEY_ID.of(name), f"and {_PK.of(name)} must not both be set: a lane has one key")
    if not values.get("use_keyvault", True):
        yield from (Problem(_KEY_ID.of(name), NO_VAULT) for name in in_vault)
    yield from _shared(_PK, values)
    yield from _shared(_KEY_ID, values)


def _shared(kind: _Kind, values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield each lane whose key another lane, or the retiring operator, has as well."""
    named = {f"{kind.setting}_RETIRING": values.get(f"{kind.one}_retiring"), kind.setting: values.get(kind.one)}
    lanes = {kind.of(name): key for name, key in sorted(values.get(kind.lanes, {}).items())}
    for (one, key), (other, same) in combinations({**named, **lanes}.items(), 2):
        if key is not None and key == same and other in lanes:
            yield Problem(other, f"must be another key than {one}: two lanes cannot share an operator's nonces")
