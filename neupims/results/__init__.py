"""What happened: the record of a run, its energy, and the files that hold it."""
