"""The right mailbox: who gets a receipt, and when a person is asked instead."""
