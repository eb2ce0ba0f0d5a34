"""Pages that list what the code has do not leave anything out."""

import re
from pathlib import Path

from neupims.graph import list_models
from neupims.graph.kinds import KINDS
from neupims.graph.kinds.base import no_products
from neupims.lowering.operators.choose import COPIES, MOST_VECTORS
from neupims.lowering.operators.elementwise import ESTIMATED, ROWWISE

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def row(page: str, name: str) -> list[str]:
    """The code words in the second cell of a table's row."""
    [line] = [line for line in (REFERENCE / page).read_text("utf-8").splitlines() if line.startswith(f"| {name} |")]
    return re.findall(r"`([^`]+)`", line.split("|")[2])


def test_the_placement_table_is_that_of_the_code():
    assert row("graphs.md", "arrays") == [name for name, kind in KINDS.items() if kind.products is not no_products]
    assert row("graphs.md", "vector units, a row each") == list(ROWWISE)
    assert row("graphs.md", "vector units, estimated") == list(ESTIMATED)
    assert row("graphs.md", "copies") == list(COPIES)
    [banks] = [
        line for line in (REFERENCE / "graphs.md").read_text("utf-8").splitlines() if line.startswith("| banks |")
    ]
    assert f"at most {MOST_VECTORS} vectors" in banks


def test_every_architecture_is_on_the_page_of_models():
    text = (REFERENCE / "models.md").read_text("utf-8")
    listed = {
        name for line in text.splitlines() if line.startswith("| `") for name in line.split("|")[1].split("`")[1::2]
    }
    assert listed == {found.name for found in list_models()}
