"""The child side of a slot: one long-lived training process."""
