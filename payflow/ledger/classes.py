"""
What kind of data each column of each row is (LGPD), and so what a purge does with it.

The classes are the foundation's. A column that is not here fails a test. An id is one of Conta Azul's or ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from foundation.personal_data import EMPTIED, Classes, DataClass, classed, of_classes

CLASSES: Final[Mapping[str, Classes]] = {
    "Company": classed(
        id="id_empresa",
        personal="document name contact",
        technical="status policy connected_ms baseline_ms route_family span_days status_ms",
    ),
    "Token": classed(
        credential="access refresh", technical="generation expires_ms refreshing refreshing_ms refused_ms saved_ms"
    ),
    "Cursor": classed(
        technical="upper_ms kind look_lower_ms look_upper_ms span disturbed outage_from_ms all_changes_ms "
        "paid_ms check_ms took_ms"
    ),
    "Instalment": classed(
        id="instalment customer",
        personal="customer_name",
        payment="pago",
        technical="data_alteracao worked in_baseline reads",
    ),
    "Receipt": classed(
        id="company baixa instalment customer",
        personal="customer_name now_is was_mailed",
        payment="amount_centavos paid_on",
        technical="versao state reason after gone frozen found_ms changed_ms due_ms asks faults document_source "
        "emptied_ms flagged_ms correction was_source",
        lookup="document_sha256 was_sha256",
        operator="decided_by",
    ),
    "Delivery": classed(
        id="company baixa customer",
        personal="address",
        payment="said",
        free_text="reply",
        lookup="address_index",
        technical="kind number state due_ms attempt claimed_by attempt_deadline_ms phase frozen revision message_id "
        "date_ms boundary template operation_id tried_ms sent_ms refused_epoch counted faults reason",
        operator="decided_by",
    ),
    "Day": classed(technical="day sent failed waited"),
    "DocumentOwner": classed(id="baixa customer", lookup="sha256"),
    "PayerMapping": classed(personal="addresses", technical="no_mail no_mail_ms language", operator="decided_by"),
    "Mailbox": classed(technical="suppressed confirmed changed_ms", operator="decided_by"),
    "Invitation": classed(id="company", personal="document", technical="digest expires_ms", operator="made_by"),
    "Access": classed(technical="epoch asks asked digest_ms digest_tried_ms paused_ms"),
    "SignIn": classed(id="office", technical="digest invitation browser expires_ms result"),
    "Entry": classed(id="company", technical="next_due_ms looked_ms status"),
    "Identity": classed(technical="ledger_id environment redirect_uri", credential="index_key"),
    "Control": classed(technical="held_ms", operator="by"),
    "Schema": classed(technical="level"),
    "RetentionMark": classed(technical="at_ms place decided_0 decided_1"),
    "Epoch": classed(technical="number"),
    "Head": classed(technical="number ledger where"),
    "BegunTerms": classed(payment="said"),
    "SenderAccount": classed(technical="epoch stopped_ms why probe_ms minute in_minute day in_day", lookup="refused"),
    "QueuedCompany": classed(id="company", technical="since_ms tried_ms until_ms owed_ms day left taken"),
    "Lease": classed(technical="name holder until_ms"),
}
"""By the record's type, then by the column's name in the row."""


OUTDATED: Final = frozenset({DataClass.PERSONAL, DataClass.FREE_TEXT})
"""
What is emptied when its time is over. Blind indexes stay: they keep a document from being mailed twice and an address
that came back suppressed, and without their key they lead to nobody.
"""


def emptied(record: str) -> frozenset[str]:
    """Return the columns of a record that a purge empties."""
    return of_classes(CLASSES[record], EMPTIED)


def outdated(record: str) -> frozenset[str]:
    """Return the columns of a record that are emptied when their time is over."""
    return of_classes(CLASSES[record], OUTDATED)
