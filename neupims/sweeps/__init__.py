"""MANY RUNS: a file of axes becomes points; each is run, kept and put into one table."""
