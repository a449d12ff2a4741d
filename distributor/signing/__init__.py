"""Keys that sign: a local one, and one that never leaves its vault."""
