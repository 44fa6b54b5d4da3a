"""Many trials in the time of one: members of equal form trained together."""
