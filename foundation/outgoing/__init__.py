"""The only way out to an address that somebody else named: call-backs, alarm targets, documents."""
