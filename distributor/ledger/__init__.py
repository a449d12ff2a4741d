"""
The ledger: what is owed, what is bound, what was signed, what is final.

``ledger`` is what the use cases call. Below it: ``binding`` and ``closing`` draw up what is written together,
``queries`` reads, ``columns`` and ``keys`` say how a record is a row, ``records`` has the rows only the ledger
knows, ``service_state`` and ``admin`` the rest. How an atomic write is done, and how its outcome is learnt, is
in ``foundation.tablestore``.
"""

from distributor.ledger.binding import MAX_ORDERS_PER_TRANSACTION, Inserted, WaitingPage
from distributor.ledger.closing import Closing
from distributor.ledger.ledger import Ledger

__all__ = ["MAX_ORDERS_PER_TRANSACTION", "Closing", "Inserted", "Ledger", "WaitingPage"]
