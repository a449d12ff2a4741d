"""A Polygon node's rules, texts and troubles in front of anvil."""
