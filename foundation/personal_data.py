"""
What kind of data each column of each stored row is (LGPD), and so what a purge and the retention do with it.

Each app has one table of its records' columns. A column that is not in it fails a test: nobody adds one without
saying what it holds, and a new personal column is purged from the day it is added.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Protocol, Self, runtime_checkable


class DataClass(StrEnum):
    """What a column holds."""

    PERSONAL = "personal"
    """A person's name, document, address or wallet: emptied by a purge."""
    FREE_TEXT = "free_text"
    """Words of a person or of a shop, which may name somebody: emptied by a purge, and when their time is over."""
    CREDENTIAL = "credential"
    """A token or a key, or what is derived from one: its row goes with what it opens."""
    LOOKUP = "lookup"
    """A blind index of something personal: finds it, and tells it to nobody without its key; emptied by a purge."""
    PROOF = "proof"
    """A hash of what was asked: shows that something is the same to who has it already. It stays."""
    ID = "id"
    """An id of another system or ours: leads to a person through that system alone. It stays: else it is done anew."""
    PAYMENT = "payment"
    """What was paid and when: stays, as the books keep it."""
    TECHNICAL = "technical"
    """State, counts, times, our own words."""
    OPERATOR = "operator"
    """Who decided: the operator's own people, for the audit."""


EMPTIED: Final = frozenset({DataClass.PERSONAL, DataClass.FREE_TEXT, DataClass.LOOKUP})
"""What a purge empties."""

Classes = Mapping[str, DataClass]
"""By the column's name."""


def classed(**classes: str) -> Classes:
    """Return the columns of one record, from the names of each class with spaces between them."""
    return {name: DataClass(kind) for kind, names in classes.items() for name in names.split()}


def of_classes(columns: Classes, wanted: frozenset[DataClass]) -> frozenset[str]:
    """Return the columns of a record that are of one of the classes *wanted*."""
    return frozenset(name for name, kind in columns.items() if kind in wanted)


@runtime_checkable
class PartlyPersonal(Protocol):
    """A value of which a part names a person, and the rest says what was paid."""

    def without_names(self) -> Self:
        """Return it as a purge leaves it."""
        ...


def empty(value: Any, names: frozenset[str]) -> dict[str, Any]:
    """Return those of the fields *names* of *value* that hold something to empty, each as a purge leaves it."""
    held = {name: (found, _emptied(found)) for name in names if (found := getattr(value, name))}
    return {name: after for name, (found, after) in held.items() if after != found}


def _emptied(found: Any) -> Any:
    """Return the empty value of its type, or what is left without its personal part."""
    return found.without_names() if isinstance(found, PartlyPersonal) else type(found)()
