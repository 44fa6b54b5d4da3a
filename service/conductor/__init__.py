"""Moves studies on: read, let the recipe decide, write."""
