"""Compiled code on disk: found again by the next process, and written by several at once."""

import os
import subprocess
import sys

import pytest

CALL = """
import numpy as np
from neupims.isa.address import AddressMap
from neupims.isa.hash_order import HashOrder
address = AddressMap((("row", 8), ("rank", 1), ("group", 1), ("bank", 4), ("column", 4), ("channel", 4)), 64)
print(HashOrder(address, 1 << 13).runs(np.array([0]), np.array([999]), np.array([0]), False).tolist())
"""


@pytest.fixture
def start(tmp_path):
    """Starts a process whose user has no compiled code yet."""
    home = {**os.environ, "HOME": str(tmp_path)}
    return lambda: subprocess.Popen(
        [sys.executable, "-c", CALL], env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_several_first_uses_at_the_same_time_agree(start, tmp_path):
    outputs = [process.communicate() for process in [start() for _ in range(3)]]
    assert len(set(outputs)) == 1
    assert outputs[0][0].startswith("[")
    assert outputs[0][1] == ""
    compiled = sorted(path.name for path in tmp_path.rglob("*.nbc"))
    assert any("list_runs" in name for name in compiled)
    assert start().communicate() == outputs[0]
    assert sorted(path.name for path in tmp_path.rglob("*.nbc")) == compiled
