"""What a task is: loading it, and measuring it before the first run."""
