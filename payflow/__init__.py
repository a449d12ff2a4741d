"""PayFlow: each payment a clinic books in Conta Azul becomes one receipt in the payer's mailbox, exactly once."""
