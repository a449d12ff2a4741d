"""The ledger against the chain: hold one to the other, and make a lost ledger again."""
