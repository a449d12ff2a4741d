"""What PayFlow is told: groups of settings, each read by the part that needs it."""
