"""The share of a pipeline stage in a model."""

import pytest

from neupims.errors import ModelError
from neupims.graph import load_model
from neupims.graph.share import pipeline_share


def test_a_share_has_its_part_of_the_layers_and_all_that_is_no_layer() -> None:
    whole = load_model("gpt3-7b").decode((10, 20))
    share = pipeline_share(whole, 5)
    (layer,) = whole.blocks
    assert [block.count for block in share.blocks] == [7]
    assert share.macs == whole.macs - 25 * layer.macs
    assert share.weight_bytes == whole.weight_bytes - 25 * layer.weight_bytes
    assert whole.operator("final_norm").inputs[0].name == "layer31.ffn.residual"
    assert share.operator("final_norm").inputs[0].name == "layer6.ffn.residual"


def test_every_block_is_shared_and_one_stage_is_the_whole_model() -> None:
    whole = load_model("poolformer-s12").trace((1,))
    assert pipeline_share(whole, 1) is whole
    assert [block.count for block in pipeline_share(whole, 2).blocks] == [1, 1, 3, 1]


def test_more_stages_than_repetitions_are_refused() -> None:
    with pytest.raises(ModelError) as error:
        pipeline_share(load_model("poolformer-s12").trace((1,)), 7)
    assert str(error.value) == "--pp 7 is more than the 6 repetitions of the model's blocks; use at most 6"
