from collections.abc import Callable
from pathlib import Path

import pytest

TINY = """\
name: tiny
title: A tiny system
processor:
  kind: gpu
  peak_tflops: 312  # data sheet
  bandwidth_gb_s: 1555
  memory_bytes: 1000
  gemm_efficiency: 0.5
  stream_efficiency: 0.5
  attention_efficiency: 0.5
  launch_us: 0
  energy: {mac_pj: 1, dram_pj_per_byte: 2, static_w: 3}  # assumed
link:
  bandwidth_gb_s: 64
  latency_us: 1.5
  energy_pj_per_bit: 5
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a file into the working directory, an empty one; without a text, the tiny system."""
    monkeypatch.chdir(tmp_path)

    def _write(name: str = "tiny.yaml", text: str = TINY) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path.relative_to(tmp_path)

    return _write
