"""One training loop, and everything it measures."""
