"""The zip that is deployed: built, checked, loaded."""
