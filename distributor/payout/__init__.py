"""The payout: bind, sign, submit, follow to finality; and what a person is told on the way."""
