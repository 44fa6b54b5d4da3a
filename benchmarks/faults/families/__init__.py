"""The faults, a file a family. Each is a small mutation of a healthy task or of its setting."""
