"""PoolFormer against the published code: parameters, and MACs of its convolutions and its head (224 x 224, batch 1)."""

import pytest
from figures import Figure

FIGURES = [
    Figure("poolformer-s12", 11_915_176, 1_812_267_008, tolerance=0),
    Figure("poolformer-s24", 21_388_968, 3_392_208_896, tolerance=0),
    Figure("poolformer-s36", 30_862_760, 4_972_150_784, tolerance=0),
    Figure("poolformer-m36", 56_172_520, 8_758_788_096, tolerance=0),
    Figure("poolformer-m48", 73_473_448, 11_533_320_192, tolerance=0),
]


@pytest.mark.parametrize("figure", FIGURES, ids=str)
def test_figures(figure: Figure) -> None:
    figure.check()
