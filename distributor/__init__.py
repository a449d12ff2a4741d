"""The bridge between a web shop and the chain: every order is paid in tokens exactly once."""
