"""
What kind of data each column of each row is (LGPD), and so what a purge does with it.

A column that is not here fails a test: nobody adds one without saying what it holds. A purge empties every column of
PERSONAL and LOOKUP by this table, so a new one is purged from the day it is added.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class DataClass(StrEnum):
    """What a column holds."""

    PERSONAL = "personal"
    """A person's name, document or address: sealed in the row, emptied by a purge."""
    CREDENTIAL = "credential"
    """A token or a key: sealed in the row; its row goes when the company is disconnected."""
    LOOKUP = "lookup"
    """A blind index of something personal: finds it, and tells it to nobody without INDEX_KEY; emptied by a purge."""
    ID = "id"
    """An id of Conta Azul or ours: leads to a person through Conta Azul alone. It stays: else a mail goes out anew."""
    PAYMENT = "payment"
    """What was paid and when: stays, as the clinic's books keep it."""
    TECHNICAL = "technical"
    """State, counts, times, words of ours."""
    OPERATOR = "operator"
    """Who decided: the operator's own people, for the audit."""


def _of(**classes: str) -> Mapping[str, DataClass]:
    return {name: kind for kind, names in classes.items() for name in names.split() for kind in [DataClass(kind)]}


CLASSES: Final[Mapping[str, Mapping[str, DataClass]]] = {
    "Company": _of(
        id="id_empresa",
        personal="document name contact",
        technical="status policy connected_ms baseline_ms route_family span_days status_ms",
    ),
    "Token": _of(
        credential="access refresh", technical="generation expires_ms refreshing refreshing_ms refused_ms saved_ms"
    ),
    "Cursor": _of(
        technical="upper_ms kind look_lower_ms look_upper_ms span disturbed outage_from_ms all_changes_ms "
        "paid_ms check_ms took_ms"
    ),
    "Instalment": _of(
        id="instalment customer",
        personal="customer_name",
        payment="pago",
        technical="data_alteracao worked in_baseline reads",
    ),
    "Receipt": _of(
        id="company baixa instalment customer",
        personal="customer_name",
        payment="amount_centavos paid_on",
        technical="versao state reason after gone frozen found_ms changed_ms due_ms asks faults document_source",
        lookup="document_sha256",
        operator="decided_by",
    ),
    "Delivery": _of(
        id="company baixa",
        personal="address",
        lookup="address_index",
        technical="kind number state due_ms attempt claimed_by attempt_deadline_ms phase frozen revision message_id "
        "date_ms boundary template operation_id reply tried_ms sent_ms refused_epoch counted faults reason",
        operator="decided_by",
    ),
    "Day": _of(technical="day sent failed waited"),
    "DocumentOwner": _of(id="baixa customer", lookup="sha256"),
    "Payer": _of(personal="addresses", technical="no_mail no_mail_ms language", operator="decided_by"),
    "Mailbox": _of(technical="suppressed confirmed changed_ms", operator="decided_by"),
    "Invitation": _of(id="company", personal="document", technical="digest expires_ms", operator="made_by"),
    "Access": _of(technical="epoch asks asked digest_ms digest_tried_ms paused_ms"),
    "SignIn": _of(technical="digest invitation browser expires_ms result"),
    "Entry": _of(id="company", technical="next_due_ms looked_ms status"),
    "Identity": _of(technical="ledger_id environment redirect_uri", credential="index_key"),
    "Schema": _of(technical="level"),
    "Epoch": _of(technical="number"),
    "Head": _of(technical="number ledger where"),
    "SenderAccount": _of(technical="epoch stopped_ms why probe_ms minute in_minute day in_day", lookup="refused"),
    "Waiting": _of(id="company", technical="since_ms tried_ms until_ms"),
    "Lease": _of(technical="name holder until_ms"),
}
"""By the record's type, then by the column's name in the row."""

EMPTIED: Final = frozenset({DataClass.PERSONAL, DataClass.LOOKUP})


def emptied(record: str) -> frozenset[str]:
    """Return the columns of a record that a purge empties."""
    return frozenset(name for name, kind in CLASSES[record].items() if kind in EMPTIED)
