"""How steps 4, 5 and 7 search: proposing, discarding early, narrowing, comparing, pricing."""
