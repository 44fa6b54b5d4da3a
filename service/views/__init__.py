"""What the service answers, as models, Markdown and CSV; read from rows, never written."""
