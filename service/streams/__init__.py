"""What happens in studies, in order, to whoever listens."""
