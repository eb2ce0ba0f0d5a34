"""Time itself: SimPy with integer picoseconds, and how to couple it to a simulator with its own clock."""
