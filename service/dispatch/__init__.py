"""How attempts get to workers."""
