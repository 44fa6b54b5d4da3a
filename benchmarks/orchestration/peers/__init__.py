"""The peers' figures: ``python -m benchmarks.orchestration.peers.trivial NAME FOLDER``."""
