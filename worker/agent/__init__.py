"""The agent: registers, claims, heartbeats, reports; the worker's only I/O with the service."""
