"""
Where each row is. Keys sort as text: what is due first comes first.

A receipt's row has at most one index row: ``due:`` while the lane works on it, ``held:`` while a person must decide,
``flagged:`` while a person is asked whether a mail that went out needs a correction.
"""

from __future__ import annotations

from typing import Final

from foundation.clock import UnixMs
from foundation.errors import InvariantBroken
from payflow.model import CompanyId, CustomerId, InstalmentId
from payflow.state import ENDED, Receipt, ReceiptState

IDENTITY: Final = "payflow"
COMPANIES: Final = "companies"
SENDER: Final = "sender"
OAUTH: Final = "oauth"
"""Partitions that are no company's."""
COMPANY, TOKEN, CURSOR = "company", "token", "cursor"
"""Rows of which each company has one."""
DUE: Final = "due:"
HELD: Final = "held:"
FLAGGED: Final = "flagged:"
"""Index of the mailed receipts whose payment was changed or undone since, until a person answers."""
AGAIN: Final = "again:"
"""Index of the instalments that are not worked."""
SIBLING: Final = "of:"
"""Index of the receipts of an instalment."""
MESSAGE: Final = "message:"
"""Index of the mails by Message-ID."""
LISTED: Final = "listed:"
"""Index of the receipts by the time they were found, the newest first."""
LISTING: Final = "listing"
"""There once every receipt of a version before has its row under LISTED."""
DAY: Final = "day:"
"""What a day was like, for the charts."""
BACKUP: Final = "backup"
"""When the last backup was written to its end."""
RETENTION: Final = "retention"
"""How far the emptying of what is old has come, and when its slice of the day was done."""
RESTORING: Final = "restoring"
"""There while a restore is under way: the company is not resumed before it has ended."""
END: Final = "~"
"""Sorts behind every character a key has."""
_LATEST_MS: Final = 10**15 - 1
_WAIT_FOR_A_PERSON = frozenset({ReceiptState.HELD, ReceiptState.UNKNOWN, ReceiptState.REFUSED})


def partition(company: CompanyId) -> str:
    """Return the partition of a company. Raises InvariantBroken for a name that is another partition's."""
    if company in (IDENTITY, COMPANIES, SENDER, OAUTH):
        raise InvariantBroken(f"no company is called {company}")
    return company


def instalment(instalment: InstalmentId) -> str:
    """Return the key of an instalment."""
    return f"instalment:{instalment}"


def invitation(digest: str) -> str:
    """Return the key of an invitation."""
    return f"invitation:{digest}"


def sign_in(digest: str) -> str:
    """Return the key of a sign-in that was begun."""
    return f"state:{digest}"


def access(company: CompanyId) -> str:
    """Return the key of a company's page, in the partition of sign-ins: no backup brings back who was signed in."""
    return f"office:{company}"


def receipt(name: str) -> str:
    """Return the key of the receipt that the blind index calls *name*."""
    return f"receipt:{name}"


def customer(customer: CustomerId) -> str:
    """Return the key of what a person said about a customer."""
    return f"customer:{customer}"


def payer_name(index: str) -> str:
    """Return the key of a map by name; *index* is the name's blind index."""
    return f"name:{index}"


def address(index: str) -> str:
    """Return the key of what is known of an address; *index* is its blind index."""
    return f"address:{index}"


def payer_of(index: str, customer: str) -> str:
    """Return the key that says that a mail to an address was made for a customer: an address of many is doubtful."""
    return f"payer:{index}:{customer}"


def message(message_id: str) -> str:
    """Return the key that finds a mail by its Message-ID."""
    return f"{MESSAGE}{message_id.strip('<>').partition('@')[0]}"


def document(sha256: str) -> str:
    """Return the key that says which payment a document was mailed for."""
    return f"document:{sha256}"


def decisions(company: CompanyId) -> str:
    """Return the beginning of the audit keys of what was decided in a company; a restore reads them."""
    return f"decision:{company}:"


def decision(company: CompanyId, at_ms: UnixMs, subject: str) -> str:
    """Return the audit key of one decision."""
    return f"{decisions(company)}{at_ms:015d}:{subject}"


def listed(found_ms: UnixMs, name: str) -> str:
    """Return the key that finds a receipt by the time it was found."""
    return f"{LISTED}{_LATEST_MS - found_ms:015d}:{name}"


def audit_prefix(company: CompanyId, subject: str) -> str:
    """Return the beginning of the audit keys of what was decided about one subject, for the page that shows it."""
    return f"about:{company}:{subject}:"


def sibling(instalment: InstalmentId, name: str) -> str:
    """Return the key that finds a receipt by its instalment."""
    return f"{SIBLING}{instalment}:{name}"


def delivery(name: str, kind: str, number: int) -> str:
    """Return the key of one mail of the receipt called *name*."""
    return f"delivery:{name}:{kind}:{number:02d}"


def index(receipt: Receipt, name: str) -> str | None:
    """Return the key of the receipt's index row; None once nothing more happens by itself or by a person."""
    if receipt.state is ReceiptState.SENT and receipt.flagged_ms:
        return f"{FLAGGED}{receipt.flagged_ms:015d}:{name}"
    if receipt.state in ENDED:
        return None
    if receipt.state in _WAIT_FOR_A_PERSON:
        return f"{HELD}{_as_key(receipt.reason or receipt.state)}:{name}"
    return f"{DUE}{receipt.due_ms:015d}:{name}"


def reason_in(index_key: str) -> str:
    """Return why a receipt waits for a person, by the key of its index row."""
    return index_key.removeprefix(HELD).rpartition(":")[0].replace("!", "?")


def _as_key(reason: str) -> str:
    """Two reasons end with a question mark, which no key of a table has."""
    return reason.replace("?", "!")


def name_in(index_key: str) -> str:
    """Return the receipt's name in the key of an index row."""
    return index_key.rpartition(":")[2]
