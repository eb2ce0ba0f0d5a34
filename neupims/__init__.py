"""Simulator of accelerators that pair a systolic-array NPU with processing-in-memory DRAM."""

__version__ = "0.1.0"
