"""What it means: tables, pictures and timelines of runs."""
