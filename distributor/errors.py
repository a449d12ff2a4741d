"""
The error tree: each branch says what the caller does next.

ServiceError  (this branch and those without a name of the payout are in ``foundation.errors``)
├─ Rejected              wrong and will stay wrong: a 4xx answer, never retried
│   ├─ BadSignature                          401
│   ├─ MalformedOrder, MalformedQuery        400
│   ├─ UnpayableOrder                        422
│   └─ ConflictingOrder                      422
├─ RateLimited           too often: 429; the sender waits and sends the same again
├─ Transient             not now: the message is done, the order waits, the sweep wakes it
│   ├─ Contention                            another worker won; stop quietly
│   ├─ StoreUnavailable
│   ├─ ShopUnknown                           whose secret it is, a person must say first
│   ├─ ChainUnavailable
│   │   └─ NoSuchTransaction                 nodes answer, and none knows the hash
│   ├─ CountersUnavailable                   requests pass uncounted for a while
│   └─ SignerUnavailable                     the vault that holds the operator's key does not sign
├─ ConfigurationError    a setting is missing or wrong: 503 or an alarm that names it
│   ├─ SecretWithdrawn                       the vault says that it is deleted or disabled
│   ├─ WrongChain                            every node serves another chain
│   └─ ForeignLedger                         the ledger is not ours; nothing binds
├─ NotYet                a person's command; something else must end first
└─ InvariantBroken       a bug or a stolen key: loud alarm, never retried

What a class docstring says is its default message. Waiting and held are states in the ledger, not
errors; the answers a node is expected to give are a ``SubmitOutcome``, not errors. HTTP codes
are only in ``functions/problems.py``.
"""

from __future__ import annotations

from distributor.rates import Window
from foundation.errors import ConfigurationError, Rejected, ServiceError, Transient


class BadSignature(Rejected):
    """The request is not signed with the secret this service knows."""

    code = "bad_signature"


class MalformedOrder(Rejected):
    """The body is not an order: it cannot be read."""

    code = "malformed_order"


class MalformedQuery(Rejected):
    """The question cannot be read."""

    code = "malformed_query"


class BodyTooLarge(Rejected):
    """The body is larger than an order can be."""

    code = "body_too_large"


class NotJson(Rejected):
    """Send the order as application/json."""

    code = "not_json_type"


class UnpayableOrder(Rejected):
    """The body is an order, but one that can never be paid as it stands."""

    code = "unpayable_order"


class ConflictingOrder(Rejected):
    """This order id was used before with other content; the first content stands."""

    code = "order_conflict"


class RateLimited(ServiceError):
    """
    More requests came than may come in one window; none of them was looked at.

    Args:
        policy: Which limit it was: ``address`` or ``source``.
        window: What may come, and when all of it may come again.
    """

    def __init__(self, *, policy: str, window: Window) -> None:
        super().__init__(f"No more than {window.rate.amount} requests in {window.rate.period_s} s are taken.")
        self.policy, self.window = policy, window


class ShopUnknown(Transient):
    """This order id is taken under this shop's name by an order that another secret signed."""


class ChainUnavailable(Transient):
    """No node answered."""


class NoSuchTransaction(ChainUnavailable):
    """Nodes answer, and none of them knows this transaction."""


class CountersUnavailable(Transient):
    """The counters of requests did not answer."""


class SignerUnavailable(Transient):
    """The vault that holds the operator's key does not sign."""


class WrongChain(ConfigurationError):
    """Every node in RPC_URL serves another chain than CHAIN_ID."""


class ForeignLedger(ConfigurationError):
    """The ledger has no identity row, or one unlike the settings; nothing is paid from it."""


class NotYet(ServiceError):
    """Something else must end first; the message says what."""
