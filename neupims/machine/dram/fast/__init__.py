"""The channel of `machine.dram.interpreter`, compiled: same rules, same arbitration, same cycles."""
