"""Figures as SVG and as tables, drawn in Python from their numbers."""
