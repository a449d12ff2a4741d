"""Alarms: a condition that persists is sent again until it ends."""
