"""The application put together and run: routes, middleware, documents, process."""
