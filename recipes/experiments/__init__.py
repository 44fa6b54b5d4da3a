"""Experiments that tell a finding's first causes apart, the cheapest first.

Each says what it would run, reads what came of it, and revises the finding.
"""
