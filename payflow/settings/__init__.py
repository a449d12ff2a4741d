"""What PayFlow is set to do: groups of settings, each read by the part that needs it."""
