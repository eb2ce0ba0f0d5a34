from collections.abc import Callable, Sequence

import numpy as np
import pytest

from neupims.errors import CapacityError
from neupims.hardware.system import SystemSpec
from neupims.isa.verify import Bounds, problems
from neupims.isa.work import Dataflow, NpuWork, Plan, Records
from neupims.lowering.decoder import DecoderShape
from neupims.lowering.geometry import KvGeometry
from neupims.lowering.kv import place_rows
from neupims.lowering.places import rectangles
from neupims.lowering.prefill import lower_prefill
from neupims.lowering.prompt_attention import PromptRows
from neupims.request import Batch

Systems = Callable[..., SystemSpec]
Batches = Callable[[Sequence[int]], Batch]
Cycles = Callable[[Records, Dataflow], int]
LENGTHS = [30, 7, 129, 1]


def named(plan: Plan) -> dict[str, NpuWork]:
    return {work.name: work for stage in plan.stages for work in stage.npu if isinstance(work, NpuWork)}


@pytest.mark.parametrize("name", ["neupims", "npu-pim", "npu-only"])
@pytest.mark.parametrize("tp", [1, 4])
def test_prefill_plans_are_legal(
    tiny: Systems,
    decoder: DecoderShape,
    batch_of: Batches,
    bounds: Callable[[SystemSpec], Bounds],
    cost: Cycles,
    name: str,
    tp: int,
) -> None:
    plan = lower_prefill(decoder, tiny(name), batch_of(LENGTHS), cost, tp=tp)
    assert problems(plan, bounds(tiny(name))) == []
    assert [stage.name for stage in plan.stages] == ["in", "P", "out"]
    assert plan.repeats == (1, 2, 1)


def test_all_tokens_pass_the_layers_and_the_last_ones_the_head(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles
) -> None:
    works = named(lower_prefill(shape, tiny(), batch_of(LENGTHS), cost))
    tokens = sum(LENGTHS)
    assert works["layer0.attention.qkv"].macs == tokens * 256 * 768
    assert works["layer0.ffn.fc1"].macs == tokens * 256 * 1024
    assert works["lm_head"].macs == len(LENGTHS) * 256 * 200
    pairs = sum(length * (length + 1) // 2 for length in LENGTHS)
    assert works["layer0.attention"].macs == 2 * 256 * pairs


def test_masked_blocks_are_skipped(tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles) -> None:
    steps = named(lower_prefill(shape, tiny(), batch_of([40]), cost))["layer0.attention"].steps
    # 8 heads on 4 arrays, 3 blocks of 16 keys, K then V, 2 halves of 32 features
    assert len(steps) == 2 * 3 * 2 * 2
    assert steps["stream"][0::4].tolist() == [40, 24, 8] * 2
    assert np.all(steps["stream"][2::4] >= steps["stream"][0::4])


def test_keys_and_values_go_to_the_cache(tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles) -> None:
    for name in ("neupims", "npu-only"):
        work = named(lower_prefill(shape, tiny(name), batch_of(LENGTHS), cost))["layer0.attention"]
        assert work.stores.bytes.tolist() == [3 * 2 * 256 * length for length in LENGTHS]


def test_prompt_rows_hold_every_key_and_value() -> None:
    geometry = KvGeometry(heads=3, head_dim=16, element_bytes=2, row_bytes=128, burst_bytes=32, banks=8)
    kv = place_rows(geometry, np.array([2, 2]), np.array([70, 20]), base=5)
    runs = PromptRows(kv, 1).runs(rectangles(0, 1, 0, 2 * 70 * 48), np.array([0]), True)
    first = int(kv.first_row[0] + kv.layer_rows[0])
    assert set(runs["row"].tolist()) == set(range(first, first + int(geometry.rows(np.array([70]))[0])))
    keys, values = runs[:70], runs[70:]
    assert keys["bank"].tolist() == [token % 8 for token in range(70)]
    assert len(values) == 48 * 2
    assert sorted(values["bursts"].tolist()) == [1] * 48 + [4] * 48  # 6 and 64 tokens of two bytes
    assert set(runs["feeds_pim"].tolist()) == {1}


def test_a_prompt_beyond_the_scratchpad_is_refused(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles
) -> None:
    small = tiny("npu-only", "processor.scratchpad.bytes=100000")
    with pytest.raises(CapacityError) as error:
        lower_prefill(shape, small, batch_of([20, 90]), cost)
    assert str(error.value) == (
        "processor.scratchpad.bytes: q, k and v of a prompt of 90 tokens take 138,240 bytes, and the scratchpad holds "
        "100,000; enlarge it, raise --tp, or use shorter prompts"
    )


def test_shared_keys_and_values_go_to_the_cache(
    tiny: Systems, llama: DecoderShape, batch_of: Batches, cost: Cycles
) -> None:
    for name in ("neupims", "npu-only"):
        works = named(lower_prefill(llama, tiny(name), batch_of(LENGTHS), cost))
        work = works["layer0.attention"]
        assert work.loads.bytes.tolist() == [2 * (256 + 2 * 128) * length for length in LENGTHS]
        assert work.stores.bytes.tolist() == [2 * (256 + 2 * 128) * length for length in LENGTHS]
        assert work.macs == 2 * 256 * sum(length * (length + 1) // 2 for length in LENGTHS)
        assert works["layer0.attention.rotary"].stores.bytes.sum() == 2 * (256 + 128) * sum(LENGTHS)
