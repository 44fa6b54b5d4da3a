"""What each step measured, reduced once for all its rules."""
