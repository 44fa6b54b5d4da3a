"""What every benchmark shares: cells kept on disk, spreads, the machine, the docs page."""
