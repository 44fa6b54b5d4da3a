"""Other tools' rules on the same runs, a file a tool, restated in our own words."""
