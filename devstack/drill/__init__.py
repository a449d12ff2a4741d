"""Drills: a trouble of the runbook on the local stack, what the operator sees of it, and its end."""
