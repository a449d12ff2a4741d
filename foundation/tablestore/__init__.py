"""One table as a ledger: rows, groups that change together, leases; on Azure Tables and in memory."""
