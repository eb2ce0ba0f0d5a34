from collections.abc import Callable
from pathlib import Path

import pytest

from neupims.sweeps.document import SweepSpec, read_sweep


@pytest.fixture
def written(tmp_path) -> Callable[[str], Path]:
    """A sweep's file with this text."""

    def write(text: str) -> Path:
        path = tmp_path / "batches.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def read(written) -> Callable[[str], SweepSpec]:
    """The sweep of a text."""
    return lambda text: read_sweep(written(text))
