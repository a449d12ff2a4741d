"""The payout: bind, sign, broadcast, follow to finality; and the alarms on the way."""
