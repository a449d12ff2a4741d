"""A Functions host for one machine, on the real worker library."""
