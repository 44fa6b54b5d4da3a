"""The application: middleware, error answers, and the process that serves them."""
