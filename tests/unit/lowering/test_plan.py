from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from neupims.errors import CapacityError, ConfigError, ModelError
from neupims.graph import load_model
from neupims.hardware.load import load_system
from neupims.hardware.system import SystemSpec
from neupims.isa.outline import Outline
from neupims.isa.verify import Bounds, problems
from neupims.isa.work import Dataflow, LinkWork, NpuWork, Plan, Records, Stage
from neupims.lowering.decoder import DecoderShape, read_decoder
from neupims.lowering.plan import lower_decode
from neupims.request import Batch, Request
from neupims.results.cache import content_key
from neupims.scheduling.stages import stages
from neupims.scheduling.subbatch import split_batch

Systems = Callable[..., SystemSpec]
Batches = Callable[[Sequence[int]], Batch]
Cycles = Callable[[Records, Dataflow], int]
LENGTHS = [30, 7, 129, 1, 64, 300, 31, 33, 128]
PUBLISHED = (
    *("policy.addresses=counter", "policy.stores=published", "processor.arrays.folded=true"),
    *("processor.vector.counts=published", "policy.head=false"),
)


def halves(batch: Batch, mode: str) -> tuple[Batch, ...]:
    by_channel = tuple(sorted(batch, key=lambda request: request.channel or 0))
    return (by_channel,) if mode == "serial" else split_batch("alternating", by_channel, lambda length: length)


def macs(plan: Plan) -> int:
    total = 0
    for stage, repeats in zip(plan.stages, plan.repeats, strict=True):
        npu = sum(work.macs for work in stage.npu if isinstance(work, NpuWork))
        total += repeats * (npu + sum(work.macs for work in stage.pim))
    return total


def npu_works(plan: Plan) -> list[NpuWork]:
    return [work for stage in plan.stages for work in stage.npu if isinstance(work, NpuWork)]


def links(plan: Plan) -> list[LinkWork]:
    return [work for stage in plan.stages for work in stage.npu if isinstance(work, LinkWork)]


@pytest.mark.parametrize("mode", ["serial", "interleaved"])
@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("neupims", ()),
        ("neupims", ("policy.value_write=none",)),
        ("neupims", PUBLISHED),
        ("npu-pim", ()),
        ("npu-only", ()),
        ("npu-only", ("policy.addresses=counter",)),
        ("neupims", ("memory.address_map=[channel, row, bank, group, rank, column]",)),
    ],
)
@pytest.mark.parametrize("tp", [1, 2, 4])
def test_plans_are_legal(
    tiny: Systems,
    decoder: DecoderShape,
    batch_of: Batches,
    bounds: Callable[[SystemSpec], Bounds],
    cost: Cycles,
    mode: str,
    name: str,
    overrides: tuple[str, ...],
    tp: int,
) -> None:
    system = tiny(name, *overrides)
    arguments = decoder, system, halves(batch_of(LENGTHS), mode), stages(mode, 2), cost
    if decoder.rotary and system.policy.addresses == "counter":
        with pytest.raises(ModelError, match=r"policy\.addresses: counter is as in the published simulator"):
            lower_decode(*arguments, tp=tp)
    else:
        assert problems(lower_decode(*arguments, tp=tp), bounds(system)) == []


@pytest.mark.parametrize("mode", ["serial", "interleaved"])
@pytest.mark.parametrize("name", ["neupims", "npu-pim", "npu-only"])
@pytest.mark.parametrize("tp", [1, 4, 8])
@pytest.mark.parametrize(
    ("model_name", "options"),
    [("gpt3-7b", {"heads": 8}), ("llama-3-8b", {"heads": 16, "kv_heads": 8, "hidden": 1536, "vocabulary": 4096})],
)
def test_the_devices_do_the_work_of_the_graph(
    cost: Cycles, mode: str, name: str, tp: int, model_name: str, options: dict[str, int]
) -> None:
    model = load_model(model_name, options={"layers": 3, "width": 512, **options})
    lengths = [40, 300, 7, 515, 64]
    graph = model.decode(lengths)
    batch = tuple(Request(index, length, index) for index, length in enumerate(lengths))
    outline = stages(mode, 3)
    plan = lower_decode(read_decoder(graph), load_system(name), halves(batch, mode), outline, cost, tp=tp)
    assert tp * macs(plan) == graph.macs


@pytest.mark.parametrize("unroll", [True, False])
@pytest.mark.parametrize("mode", ["serial", "interleaved"])
def test_unrolled_layers_do_the_same_work(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles, mode: str, unroll: bool
) -> None:
    deep, batch = replace(shape, layers=4), halves(batch_of(LENGTHS), mode)
    plan = lower_decode(deep, tiny(), batch, stages(mode, 4, 4 if unroll else 1), cost, head=False)
    other = lower_decode(deep, tiny(), batch, stages(mode, 4, 1 if unroll else 4), cost, head=False)
    assert macs(plan) == macs(other)


@pytest.mark.parametrize(("mode", "sub_batches"), [("serial", 1), ("interleaved", 2), ("interleaved", 3)])
def test_without_barriers_groups_come_after_what_they_need(
    tiny: Systems,
    shape: DecoderShape,
    batch_of: Batches,
    bounds: Callable[[SystemSpec], Bounds],
    cost: Cycles,
    mode: str,
    sub_batches: int,
) -> None:
    batch = batch_of(LENGTHS)
    parts = [batch[number::sub_batches] for number in range(sub_batches)]
    outline = stages(mode, 2, barriers=False, sub_batches=sub_batches)
    plan = lower_decode(shape, tiny(), parts, outline, cost)
    assert plan.barriers == (True, True, *(False,) * (len(outline) - 1), True)
    assert problems(plan, bounds(tiny())) == []
    after = {work.name: work.after for stage in plan.stages for work in (*stage.npu, *stage.pim) if work.after}
    tags = [f"sb{number + 1}." if sub_batches > 1 else "" for number in range(sub_batches)]
    layers = [f"{tag}layer{layer}.attention" for tag in tags for layer in range(2)]
    attention = {layer: (f"{layer}.qkv",) for layer in layers}
    assert after == attention | {f"{layer}.projection": (layer,) for layer in layers}


@pytest.mark.parametrize("mode", ["serial", "interleaved"])
def test_barriers_and_attention_on_the_npu_need_no_dependencies(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles, mode: str
) -> None:
    parts = halves(batch_of(LENGTHS), mode)
    bound = lower_decode(shape, tiny(), parts, stages(mode, 2), cost)
    on_npu = lower_decode(shape, tiny("npu-only"), parts, stages(mode, 2, barriers=False), cost)
    assert bound.barriers is None
    assert not any(work.after for plan in (bound, on_npu) for stage in plan.stages for work in (*stage.npu, *stage.pim))


def one_layer(system: SystemSpec, shape: DecoderShape, batch: Batch, cost: Cycles, **options: int) -> Plan:
    return lower_decode(shape, system, (batch,), stages("serial", 1), cost, head=False, **options)


def test_every_weight_is_loaded_once_in_each_layer(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles
) -> None:
    plan = one_layer(tiny(), shape, batch_of(LENGTHS), cost, tp=2)
    early = sum(int(work.loads.bytes[work.loads.early].sum()) for work in npu_works(plan))
    weights = (256 * 384 + 384) + (128 * 256 + 256) + (256 * 512 + 512) + (512 * 256 + 256) + 2 * 2 * 256
    assert early == 2 * weights


def test_weights_of_different_layers_lie_apart(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles
) -> None:
    plan = lower_decode(shape, tiny(), (batch_of(LENGTHS),), stages("serial", 2, 2), cost, head=False)
    touched: dict[str, set[tuple[int, ...]]] = {"0": set(), "1": set()}
    for work in npu_works(plan):
        runs = work.loads.runs[work.loads.early[work.loads.runs["block"]]]
        layer = work.name.removeprefix("layer")[0]
        touched[layer] |= {tuple(run) for run in runs[["channel", "bank", "row"]].tolist()}
    assert all(touched.values())
    assert not touched["0"] & touched["1"]


def test_published_traffic_is_one_stream(tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles) -> None:
    plan = one_layer(tiny("neupims", *PUBLISHED), shape, batch_of(LENGTHS), cost)
    wrap, tile_row = 10 * 256 * 256, 4 * 8 * 256  # E * E bytes, and bytes of one row index
    assert max(int(work.loads.runs["row"].max()) for work in npu_works(plan)) == wrap // tile_row - 1
    for work in plan.stages[1].pim:
        assert {request.length for request in work.requests if len(request.output)} == {129, 300}
        assert all(not request.scores["feeds_pim"].any() for request in work.requests)


def test_attention_goes_where_the_policy_says(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles
) -> None:
    in_banks = one_layer(tiny("neupims"), shape, batch_of(LENGTHS), cost).stages[1]
    streamed = one_layer(tiny("npu-only"), shape, batch_of(LENGTHS), cost).stages[1]
    assert (len(in_banks.npu), len(in_banks.pim)) == (0, 1)
    assert (len(streamed.npu), len(streamed.pim)) == (1, 0)


def test_names_are_those_of_the_graph(tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles) -> None:
    plan = lower_decode(shape, tiny(), halves(batch_of(LENGTHS), "interleaved"), stages("interleaved", 2), cost, tp=2)
    named = {stage.name: [work.name for work in (*stage.npu, *stage.pim)] for stage in plan.stages}
    assert list(named) == ["in", "A", "B", "C", "D", "E", "F", "out"]
    assert named["in"] == ["embedding", "embedding.all_reduce"]
    assert named["B"] == ["sb2.layer0.attention.norm", "sb2.layer0.attention.qkv", "sb1.layer0.attention"]
    assert named["E"] == [
        "sb1.layer1.attention.projection",
        "sb1.layer1.attention.all_reduce",
        "sb1.layer1.attention.residual",
        "sb1.layer1.ffn.norm",
        "sb1.layer1.ffn.fc1",
        "sb1.layer1.ffn.gelu",
        "sb1.layer1.ffn.fc2",
        "sb1.layer1.ffn.all_reduce",
        "sb1.layer1.ffn.residual",
        "sb2.layer1.attention",
    ]
    assert named["out"] == ["final_norm", "lm_head", "sampling", "sampling.all_reduce"]


@pytest.mark.parametrize(("tp", "setting", "count"), [(1, "true", 0), (2, "true", 2), (2, "false", 0)])
def test_all_reduces_follow_projection_and_fc2(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles, tp: int, setting: str, count: int
) -> None:
    system = tiny("neupims", f"policy.all_reduce={setting}")
    found = links(one_layer(system, shape, batch_of(LENGTHS), cost, tp=tp))
    assert [(work.kind, work.bytes, work.devices) for work in found] == count * [("all_reduce", len(LENGTHS) * 512, tp)]


@pytest.mark.parametrize("head", [True, False])
def test_the_head_can_be_left_out(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles, head: bool
) -> None:
    outline: Outline = stages("serial", 2)
    plan = lower_decode(shape, tiny("neupims", f"policy.head={str(head).lower()}"), (batch_of([5]),), outline, cost)
    assert [stage.name for stage in plan.stages] == (["in", "A", "B", "E", "out"] if head else ["A", "B", "E"])
    assert plan.repeats == ((1, 2, 2, 2, 1) if head else (2, 2, 2))


def test_pipeline_stages_hold_their_own_layers_only(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles
) -> None:
    deep = replace(shape, layers=12)
    list(lower_decode(deep, tiny(), (batch_of(LENGTHS),), stages("serial", 3), cost, pp=4).stages)
    with pytest.raises(IndexError):
        list(lower_decode(deep, tiny(), (batch_of(LENGTHS),), stages("serial", 4, 4), cost, pp=4).stages)


@pytest.mark.parametrize("name", ["neupims", "npu-only-authors"])
def test_a_stage_is_the_same_whenever_it_is_asked_for(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles, name: str
) -> None:
    def lowered() -> Sequence[Stage]:
        batch = (batch_of(LENGTHS),)
        return lower_decode(replace(shape, layers=3), tiny(name), batch, stages("serial", 3, 3), cost).stages

    in_order = [content_key(stage) for stage in lowered()]
    assert len(set(in_order)) == len(in_order) > 3
    again = lowered()
    for index in (4, 1, 1, -1, 0, 5):
        assert content_key(again[index]) == in_order[index]
    assert [content_key(stage) for stage in again[2:4]] == in_order[2:4]
    assert content_key(again) == content_key(tuple(lowered()))


@pytest.mark.parametrize("name", ["neupims", "npu-only"])
def test_waiting_requests_take_room_but_do_no_work(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles, name: str
) -> None:
    batch, others = batch_of(LENGTHS)[:4], batch_of([900] * 20)
    alone = lower_decode(shape, tiny(name), (batch,), stages("serial", 2), cost)
    beside = lower_decode(shape, tiny(name), (batch,), stages("serial", 2), cost, waiting=others[:1])
    assert macs(alone) == macs(beside)
    with pytest.raises(CapacityError):
        lower_decode(shape, tiny(name), (batch,), stages("serial", 2), cost, waiting=others)


def test_the_new_token_goes_to_its_request(tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles) -> None:
    qkv = npu_works(one_layer(tiny(), shape, batch_of([30, 7]), cost))[1]
    runs = qkv.stores.runs
    assert set(runs["channel"].tolist()) == {0, 1}
    assert set(runs["feeds_pim"].tolist()) == {1}
    assert runs["bursts"].sum() == 2 * (256 + 2 * 256 * 2 // 64)  # a burst for each feature of V; q and K packed
    assert qkv.stores.bytes.sum() == 2 * 2 * 768


def test_without_value_writes_only_q_and_k_are_stored(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles
) -> None:
    qkv = npu_works(one_layer(tiny("neupims", "policy.value_write=none"), shape, batch_of([30, 7]), cost))[1]
    assert qkv.stores.runs["bursts"].sum() == 2 * (2 * 256 * 2 // 64)


@pytest.mark.parametrize("dataflow", ["weight_stationary", "activation_stationary", "output_stationary"])
def test_the_system_chooses_the_dataflow(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles, dataflow: str
) -> None:
    plan = one_layer(tiny("neupims", f"processor.arrays.dataflow={dataflow}"), shape, batch_of(LENGTHS), cost)
    assert {work.dataflow for work in npu_works(plan) if work.kind == "gemm"} == {dataflow}


def test_fastest_takes_what_ends_first(tiny: Systems, shape: DecoderShape, batch_of: Batches) -> None:
    def slow(steps: Records, dataflow: Dataflow) -> int:
        return 10 if dataflow == "output_stationary" else 10**6

    def bound_by_memory(steps: Records, dataflow: Dataflow) -> int:
        return 0

    for cost, expected in ((slow, "output_stationary"), (bound_by_memory, "weight_stationary")):
        plan = one_layer(tiny("neupims", "processor.arrays.dataflow=fastest"), shape, batch_of(LENGTHS), cost)
        assert {work.dataflow for work in npu_works(plan) if work.kind == "gemm"} == {expected}


def test_fastest_leaves_out_dataflows_that_do_not_fit(tiny: Systems, shape: DecoderShape, batch_of: Batches) -> None:
    def slow(steps: Records, dataflow: Dataflow) -> int:
        return 10 if dataflow == "activation_stationary" else 10**6

    tight = tiny("neupims", "processor.arrays.dataflow=fastest", "processor.scratchpad.accumulator_bytes=1200")
    plan = one_layer(tight, shape, batch_of(LENGTHS), slow)
    assert "activation_stationary" not in {work.dataflow for work in npu_works(plan) if work.kind == "gemm"}


def test_a_gpu_gets_no_plan(shape: DecoderShape, batch_of: Batches, cost: Cycles) -> None:
    with pytest.raises(ConfigError) as error:
        one_layer(load_system("gpu-a100"), shape, batch_of([3]), cost)
    assert str(error.value) == (
        "gpu-a100: processor.kind: a plan is made for an npu, not for a gpu; a gpu is timed as a roofline"
    )


def test_numbers_of_another_size_are_refused(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles
) -> None:
    with pytest.raises(ConfigError) as error:
        one_layer(tiny("neupims", "processor.element_bytes=1"), shape, batch_of([3]), cost)
    assert str(error.value) == (
        "neupims: processor.element_bytes is 1, but the model's numbers have 2 bytes; set it to 2"
    )


def test_an_empty_sub_batch_is_refused(tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles) -> None:
    with pytest.raises(ValueError, match=r"^a sub-batch is empty$"):
        lower_decode(shape, tiny(), (batch_of([3]), ()), stages("interleaved", 2), cost)


def test_the_same_input_gives_the_same_plan(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, cost: Cycles
) -> None:
    first, second = (npu_works(one_layer(tiny(), shape, batch_of(LENGTHS), cost)) for _ in range(2))
    for left, right in zip(first, second, strict=True):
        assert np.array_equal(left.loads.runs, right.loads.runs)
        assert np.array_equal(left.steps, right.steps)


# Llama --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["neupims", "npu-only"])
def test_layers_of_one_input_are_one_gemm(
    tiny: Systems, llama: DecoderShape, batch_of: Batches, cost: Cycles, name: str
) -> None:
    works = npu_works(one_layer(tiny(name), llama, batch_of(LENGTHS), cost))
    attention = [("attention", "attention")] if name == "npu-only" else []
    assert [(work.name.removeprefix("layer0."), work.kind) for work in works] == [
        *(("attention.norm", "rms_norm"), ("attention.qkv", "gemm"), ("attention.rotary", "rotary"), *attention),
        *(("attention.projection", "gemm"), ("attention.residual", "add"), ("ffn.norm", "rms_norm")),
        *(("ffn.gate_up", "gemm"), ("ffn.swiglu", "swiglu"), ("ffn.down", "gemm"), ("ffn.residual", "add")),
    ]
    ops = {work.name.removeprefix("layer0."): work.other_ops for work in works}
    assert ops["attention.rotary"] == 3 * len(LENGTHS) * (256 + 128)
    assert ops["ffn.swiglu"] == 5 * len(LENGTHS) * 512


def test_turned_q_and_k_go_to_their_rows_and_v_goes_there_at_once(
    tiny: Systems, llama: DecoderShape, batch_of: Batches, cost: Cycles
) -> None:
    _, qkv, rotary, *_ = npu_works(one_layer(tiny(), llama, batch_of([30, 7]), cost))
    values = qkv.stores.runs[qkv.stores.runs["feeds_pim"] > 0]
    assert values["bursts"].sum() == 2 * 128  # a burst for each feature
    before = qkv.stores.runs[qkv.stores.runs["feeds_pim"] == 0]
    assert before["bursts"].sum() * 64 >= 2 * 2 * (256 + 128)
    assert rotary.loads.bytes.sum() == rotary.stores.bytes.sum() == 2 * 2 * (256 + 128)
    assert set(rotary.stores.runs["feeds_pim"].tolist()) == {1}
    assert rotary.stores.runs["bursts"].sum() == 2 * (256 + 128) * 2 // 64
    assert set(rotary.stores.runs["channel"].tolist()) == set(values["channel"].tolist()) == {0, 1}


def test_without_pim_q_and_k_are_turned_in_their_place(
    tiny: Systems, llama: DecoderShape, batch_of: Batches, cost: Cycles
) -> None:
    _, qkv, rotary, attention, *_ = npu_works(one_layer(tiny("npu-only"), llama, batch_of(LENGTHS), cost))
    where = ["channel", "bank", "row", "column", "bursts"]
    assert sorted(rotary.loads.runs[where].tolist()) == sorted(rotary.stores.runs[where].tolist())
    assert qkv.stores.bytes.sum() == 2 * len(LENGTHS) * (256 + 2 * 128)
    assert attention.loads.bytes[~attention.loads.early].sum() == 2 * len(LENGTHS) * (256 + 2 * 128)


def test_rows_of_an_untied_head_are_apart(tiny: Systems, llama: DecoderShape, batch_of: Batches, cost: Cycles) -> None:
    plan = lower_decode(llama, tiny(), (batch_of([3]),), stages("serial", 2), cost)
    works = {work.name: work for work in npu_works(plan)}
    rows = [
        {tuple(run) for run in works[name].loads.runs[["channel", "bank", "row"]].tolist()}
        for name in ("embedding", "lm_head")
    ]
    assert works["embedding"].loads.bytes.sum() == 2 * 256  # no table of positions
    assert not rows[0] & rows[1]


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("npu-only-authors", "attention: chain"),
        ("npu-pim-authors", "addresses: counter"),
        ("neupims-authors", "addresses: counter"),
    ],
)
def test_the_published_profiles_run_their_own_family_alone(
    tiny: Systems, llama: DecoderShape, batch_of: Batches, cost: Cycles, name: str, setting: str
) -> None:
    with pytest.raises(ModelError) as error:
        one_layer(tiny(name), llama, batch_of([3]), cost)
    assert str(error.value) == (
        f"{name}: policy.{setting} is as in the published simulator, which runs models such as gpt3-30b; this one has "
        f"2 query heads for each head of keys and values, RMS norms, rotary positions, a gated feed-forward network: "
        f"choose a system such as neupims, npu-pim or npu-only"
    )
