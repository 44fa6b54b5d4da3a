"""The service half's commands, one subject a file."""
