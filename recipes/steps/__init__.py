"""The three steps that can stop a study, and the search that follows them."""
