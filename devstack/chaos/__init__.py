"""Orders without a pause while everything under the app fails, and the proof that each was paid once."""
