"""
What Azure Communication Services tells about mails through Event Grid: read, and judged by the one table below.

Sources: https://learn.microsoft.com/azure/event-grid/communication-services-email-events (the report),
https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema (its handshake),
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md (CloudEvents). A post is a
list of events in Event Grid's schema, one CloudEvent, or a list of them; the report inside is the same.

==================================  =========================================================================
status of a report                  what it means here
==================================  =========================================================================
Delivered                           the mail arrived at the recipient's server: an unknown one is sent
Bounced, Failed                     it came back; the address is suppressed if the words have a code that says so
Suppressed                          the service refuses the address by a list of its own
Quarantined, FilteredSpam           the recipient does not see it
Expanded, and any other word        nothing
==================================  =========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from foundation.json_depth import read_shallow

BYTES_MAX: Final = 1_048_576
"""Event Grid posts at most a megabyte at a time."""
DEPTH_MAX: Final = 32
"""An event is a list, its members and their details."""
EVENTS_MAX: Final = 5_000
CODE_MAX: Final = 512
SPECVERSION: Final = "1.0"
"""CloudEvents 1.0 and its patches all say this."""
VALIDATION: Final = "Microsoft.EventGrid.SubscriptionValidationEvent"
REPORT: Final = "Microsoft.Communication.EmailDeliveryReportReceived"
DELIVERED: Final = "Delivered"
CAME_BACK: Final = frozenset({"Bounced", "Failed", "Suppressed", "Quarantined", "FilteredSpam"})
_STATUS: Final = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryReport:
    """What became of one mail: it was delivered, or came back with a status."""

    operation_id: str
    """``messageId``: the id that was given to the operation; the service's own for a mail through its SMTP relay."""
    message_id: str
    """``internetMessageId``: ours where the mail went through the relay."""
    delivered: bool
    status: str = ""
    """The enhanced status (RFC 3463) in the report's words, else the report's own word."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """One post of Event Grid's."""

    validation: str = ""
    """The code to answer with; it proves that this address wants the events."""
    reports: Sequence[DeliveryReport] = ()
    is_foreign: bool = False
    """Some event is a CloudEvent of another version: what it means is not known."""


def parse_events(body: bytes) -> Post:
    """Return what *body* says; of what is no list of events, nothing. Total."""
    try:
        found = read_shallow(body, DEPTH_MAX) if len(body) <= BYTES_MAX else []
    except ValueError:
        found = []
    listed = found if isinstance(found, list) else [found]
    events = [event for event in listed[:EVENTS_MAX] if isinstance(event, dict) and isinstance(event.get("data"), dict)]
    codes = (_text(event["data"], "validationCode") for event in events if event.get("eventType") == VALIDATION)
    reports = [report for event in events if _is_report(event) for report in _report(event["data"])]
    foreign = any(event.get("specversion", SPECVERSION) != SPECVERSION for event in events)
    return Post(validation=next(codes, "")[:CODE_MAX], reports=reports, is_foreign=foreign)


def _is_report(event: dict[str, Any]) -> bool:
    """Tell by ``type`` what a CloudEvent is, and by ``eventType`` what an event of Event Grid's schema is."""
    if "specversion" not in event:
        return event.get("eventType") == REPORT
    required = all(_text(event, name) for name in ("id", "source"))
    return required and event.get("type") == REPORT


def _report(data: dict[str, Any]) -> Iterator[DeliveryReport]:
    word = _text(data, "status")
    if word != DELIVERED and word not in CAME_BACK:
        return
    details = data.get("deliveryStatusDetails")
    code = _STATUS.search(_text(details, "statusMessage") if isinstance(details, dict) else "")
    yield DeliveryReport(
        operation_id=_text(data, "messageId"),
        message_id=_text(data, "internetMessageId"),
        delivered=word == DELIVERED,
        status=code[0] if code and word != DELIVERED else word,
    )


def _text(data: dict[str, Any], name: str) -> str:
    found = data.get(name)
    return found if isinstance(found, str) else ""
