"""REST under ``/api/v1``: one resource a file. Endpoints parse and answer; use cases decide."""
