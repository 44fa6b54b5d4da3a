"""How often logs of every format are read rightly, wrongly, or refused."""
