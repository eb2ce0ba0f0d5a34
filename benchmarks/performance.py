"""Measure everything and write docs/performance.md, which takes about a quarter of an hour.

python benchmarks/performance.py
"""

import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"

if __name__ == "__main__":
    subprocess.run([sys.executable, "-m", "neupims", "bench", "--scaling", "--page", PAGE], check=True)
