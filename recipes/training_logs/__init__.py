"""Readers of training logs that were made elsewhere: text in, curves and what was guessed out."""
