"""What the paper says, and what we get: its evaluation as sweeps, redone by one command."""
