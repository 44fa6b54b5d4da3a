"""The files to report on, a module for those that were written before each look."""
