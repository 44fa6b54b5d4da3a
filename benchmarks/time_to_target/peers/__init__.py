"""The peers, each one process to start: ``python -m benchmarks.time_to_target.peers.NAME``."""
