"""The bridge between a web shop and the chain: every order is paid in tokens exactly once."""

__version__ = "0.1.0"
"""Of the whole service; the plugin for WordPress has the same."""
