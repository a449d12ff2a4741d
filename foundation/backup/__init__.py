"""Copies of a ledger in another storage account: how they are written, checked, kept and read."""
