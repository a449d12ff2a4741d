"""
The ledger: what is owed, what is bound, what was signed, what is final.

``verbs`` is what the use cases call. Below it: ``entries`` and ``closings`` draw up what is written
together, ``queries`` reads, ``columns`` and ``keys`` how a thing is a row, ``records``
the rows only the ledger knows, ``notices`` and ``interventions`` the rest. How a group is done, and how
we learn of it, is in ``foundation.tablestore``.
"""

from distributor.ledger.binding import MAX_ORDERS_PER_TRANSACTION, Inserted, Page
from distributor.ledger.closing import Closing
from distributor.ledger.ledger import Ledger

__all__ = ["MAX_ORDERS_PER_TRANSACTION", "Closing", "Inserted", "Ledger", "Page"]
