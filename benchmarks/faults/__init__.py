"""The fault bench: known faults put into healthy training runs, and who names them right.

``python -m benchmarks.faults --help``; what it measures stands in ``docs/diagnosis-bench.md``.
"""
