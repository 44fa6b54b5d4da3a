"""Tables, engines and types: everything that knows SQL's dialects."""
