"""The service remembers and serves: database, REST, pages, conductor, dispatcher."""
