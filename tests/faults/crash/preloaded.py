"""Imported once by the server that the table's processes are forked from: all that a payout needs."""

from foundation.tablestore import azure_tables  # noqa: F401 -- imported to be there
from tests.faults.crash import process  # noqa: F401 -- the same
