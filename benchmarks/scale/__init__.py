"""How the service grows: studies of many trials, many studies, many workers."""
