"""How soon a study knows a good setting, beside the tools one would use instead."""
