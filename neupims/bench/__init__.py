"""How fast is it? Cases with goals, each measured in a process of its own."""
