"""Step 7's decisions: what to change next, whether the last change helped, when to stop."""
