"""Imported once by the server that the tables' processes are forked from: all that a payout and a receipt need."""

from foundation.tablestore import azure_tables  # noqa: F401 -- imported to be there
from tests.faults.crash import process, receipt_process  # noqa: F401 -- the same
