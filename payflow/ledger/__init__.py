"""PayFlow's ledger: one partition for each company, and three that belong to all of them."""
