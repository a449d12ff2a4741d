"""A real WordPress with the plugin, in front of the stack."""
