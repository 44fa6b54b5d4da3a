"""One diagnosis rule, or one family of rules, a file."""
