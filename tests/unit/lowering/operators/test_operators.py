"""Graphs of every kind of operator on a tiny machine: legal plans, all work done, nothing dropped, engines equal."""

from dataclasses import replace

import pytest
from graph_zoo import ZOO, graph_of, tokens

from neupims.errors import CapacityError, ConfigError
from neupims.graph import Block, Graph, Operator, Tracer
from neupims.graph.kinds import KINDS
from neupims.graph.sequences import prompts, samples
from neupims.graph_runs import interleaved, tile_times
from neupims.hardware.system import SystemSpec
from neupims.isa.verify import Bounds, verify
from neupims.isa.work import Plan, Stage
from neupims.lowering.operators.elementwise import lower_vector
from neupims.lowering.operators.once import once
from neupims.lowering.operators.outline import plan_of
from neupims.lowering.operators.plan import Lowered, Sample, lower_graph, serial_plan
from neupims.machine.device import run_plan
from neupims.machine.dram.memory import Engine, build_memory
from neupims.machine.outcome import DeviceResult
from neupims.machine.systolic import cost_of
from neupims.machine.vector import row_latency
from neupims.request import Batch, Request

SMALL = ("processor.scratchpad.bytes=4000000", "processor.scratchpad.accumulator_bytes=4000000")
BATCH: Batch = (Request(0, 9, 0), Request(1, 30, 3))


def lowered(system: SystemSpec, *graphs: Graph, batches: tuple[Batch, ...] = (BATCH,)) -> Lowered:
    assert system.processor.kind == "npu"
    parts = [Sample(graph, batch) for graph, batch in zip(graphs, batches, strict=True)]
    return lower_graph(parts, system, cost_of(system.processor.arrays), tile_times(system))


def run(system: SystemSpec, plan: Plan, engine: Engine = "fast") -> DeviceResult:
    assert system.memory is not None
    org = system.memory.organization
    verify(plan, Bounds(org.channels, org.banks, org.rows, org.bursts_per_row, org.burst_bytes))
    return run_plan(plan, system, build_memory(system.memory, system.pim, engine))


def test_the_zoo_has_every_kind() -> None:
    kinds = {item.op.kind for name in ZOO for item in once(graph_of(name))}
    unseen = set(KINDS) - kinds - set(ALIKE)
    assert not unseen


ALIKE = {
    *("quick_gelu", "relu6", "leaky_relu", "hard_sigmoid", "log", "sqrt", "rsqrt", "reciprocal", "square", "abs"),
    *("neg", "sign", "sin", "cos", "erf", "round", "clip", "maximum", "minimum", "power", "compare", "where"),
    *("max", "min", "rotary", "copy", "last", "squared_error", "adam", "momentum", "sgd"),
}
"""Kinds that differ from others only in what one element costs."""


@pytest.mark.parametrize("name", ["npu-only", "npu-pim", "neupims"])
@pytest.mark.parametrize("zoo", ZOO)
def test_every_operator_runs_and_no_work_is_lost(zoo: str, name: str, tiny) -> None:
    system, graph = tiny(name, *SMALL), graph_of(zoo)
    plan = serial_plan(lowered(system, graph))
    result = run(system, plan)
    spans = [(span, stage.repeats) for stage in result.stages for span in stage.operators]
    assert sum(repeats * span.macs for span, repeats in spans) == graph.macs
    for item in once(graph):
        mine = [span for span, _ in spans if _belongs(span.name, item.op.name)]
        assert mine, item.op.name
        assert all(span.end_ps > span.start_ps for span in mine)


def _belongs(span: str, operator: str) -> bool:
    scope = operator.rpartition(".")[0]
    attention = operator.removeprefix(f"{scope}.") in ("logit", "softmax", "attend")
    return span == operator or span.startswith(f"{operator}.") or (attention and span.startswith(f"{scope}."))


def test_more_kinds_have_a_time_on_the_vector_units(tiny) -> None:
    system = tiny("npu-only")
    assert all(row_latency(kind, 64, system.processor.vector, 2) >= 1 for kind in KINDS)


@pytest.mark.parametrize("placement", ["pim", "auto"])
def test_engines_agree_on_matrices_in_the_banks(placement: str, tiny) -> None:
    system, graph = tiny("neupims", *SMALL, f"policy.placement={placement}"), graph_of("tokens")
    engines: tuple[Engine, ...] = ("fast", "plain", "reference")
    plans = serial_plan(lowered(system, graph))
    results = [run(system, plans, engine) for engine in engines]
    assert len({tuple((s.start_ps, s.end_ps) for s in result.stages) for result in results}) == 1
    matrices = [span for stage in results[0].stages for span in stage.operators if span.unit == "pim"]
    assert any(span.kind == "gemm" for span in matrices) == (placement == "pim")


def test_a_matrix_in_the_banks_has_a_tile_for_each_chunk_of_each_output(tiny) -> None:
    """A linear layer 32 -> 96 in rows of 128 numbers and 4 channels of 8 banks: one chunk."""
    system = tiny("neupims", *SMALL, "policy.placement=pim")
    made = lowered(system, graph_of("tokens"))
    matrix = made.halves[0].banks.matrices["layer0.linear"]
    org = system.memory.organization
    assert (matrix.chunks, matrix.channels) == (1, min(org.channels, -(-96 // org.banks)))
    assert matrix.rows == -(-96 // (org.banks * org.channels))


def test_halves_take_turns_on_both_engines(tiny) -> None:
    """Attention in PIM: stages A to F of the paper, with two layers and more between them."""
    system = tiny("neupims", *SMALL, "policy.placement=npu")
    halves = (graph_of("tokens", (9,)), graph_of("tokens", (30,)))
    made = lowered(system, *halves, batches=(BATCH[:1], BATCH[1:]))
    turns = interleaved(made)
    assert [turn.repeats for turn in turns] == [1, 1, 2, 2, 1, 1]
    result = run(system, plan_of(made, turns))
    assert [stage.name for stage in result.stages] == list("ABCDEF")
    total = sum(stage.repeats * sum(span.macs for span in stage.operators) for stage in result.stages)
    assert total == sum(graph.macs for graph in halves)


def test_a_model_that_does_not_fit_says_by_how_much(tiny) -> None:
    system = tiny("npu-only", "memory.organization.rows=1")
    with pytest.raises(CapacityError) as error:
        lowered(system, graph_of("tokens"))
    assert str(error.value).startswith("memory: tokens does not fit: 0.00 GiB of weights, 0.00 GiB of states and ")


def test_what_all_repetitions_keep_for_their_backward_pass_must_fit(tiny) -> None:
    """Room is given to the activations of one repetition; those of the others are counted."""
    system, graph = tiny("npu-only", *SMALL), graph_of("learned")
    lowered(system, graph)
    deep = replace(graph, items=tuple(_as_deep(item, 1_000_000) for item in graph.items))
    with pytest.raises(CapacityError, match=r"^memory: learned does not fit: .* GiB of activations make "):
        lowered(system, deep)


def _as_deep(item: Operator | Block, count: int) -> Operator | Block:
    """A block without weights and states, with as many repetitions of its activations."""
    return replace(item, count=count, weights=(), states=()) if isinstance(item, Block) and item.kept else item


def test_published_addresses_are_refused(tiny) -> None:
    with pytest.raises(ConfigError) as error:
        lowered(tiny("npu-only-authors"), graph_of("images"))
    assert str(error.value) == (
        "npu-only-authors: policy.addresses: 'counter' is how the published simulator runs decoders of the GPT-3 "
        "family; other graphs need 'placed', as in neupims, npu-pim and npu-only"
    )


def test_the_same_graph_takes_the_same_time_again(tiny) -> None:
    system, graph = tiny("npu-only", *SMALL), graph_of("images")
    one, two = (run(system, serial_plan(lowered(system, graph))) for _ in range(2))
    assert [stage.operators for stage in one.stages] == [stage.operators for stage in two.stages]


def test_a_prefill_appends_its_keys_and_values(tiny) -> None:
    net = Tracer(prompts((9, 30)))
    tokens(net)
    graph = net.finish("tokens")
    result = run(tiny("npu-only", *SMALL), serial_plan(lowered(tiny("npu-only", *SMALL), graph)))
    spans = [(span, stage.repeats) for stage in result.stages for span in stage.operators]
    assert sum(repeats * span.macs for span, repeats in spans) == graph.macs
    appended = [span for span, _ in spans if span.name.endswith(".append")]
    assert [span.bytes_written for span in appended] == [39 * 32 * 2] * 2


def test_a_window_keeps_the_last_keys_and_values_of_a_prompt(tiny) -> None:
    net = Tracer(prompts((9, 30)))
    x = net.embedding(net.tokens(), net.weight(50, 32, name="table"))
    net.output(net.attention(x, x, x, heads=2, window=12))
    graph = net.finish("window")
    result = run(tiny("npu-only", *SMALL), serial_plan(lowered(tiny("npu-only", *SMALL), graph)))
    appended = [span for stage in result.stages for span in stage.operators if span.name.endswith(".append")]
    assert [(span.bytes_read, span.bytes_written) for span in appended] == [(21 * 32 * 2, 21 * 32 * 2)] * 2


def test_a_convolution_reads_its_bias_once_and_its_input_at_most_once_for_each_pass(tiny) -> None:
    graph = graph_of("images")
    result = run(tiny("npu-only", *SMALL), serial_plan(lowered(tiny("npu-only", *SMALL), graph)))
    (span,) = [span for stage in result.stages for span in stage.operators if span.name == "conv"]
    op = graph.operator("conv")
    assert span.bytes_read >= op.bytes_read
    assert span.bytes_written == op.bytes_written


def test_a_product_on_the_vector_units_streams_its_weight(tiny) -> None:
    """One vector times 64 x 4,000 weights is more than the scratchpad holds at once."""
    net = Tracer(samples((1,)))
    net.output(net.linear(net.input("x", 1, 64), 4000))
    graph = net.finish("vector")
    system = tiny("npu-only", "processor.scratchpad.bytes=400000", "processor.scratchpad.accumulator_bytes=400000")
    made = lowered(system, graph, batches=(BATCH[:1],))
    work = lower_vector(graph.operator("linear"), made.halves[0].arena, made.halves[0].target)
    assert work.loads.bytes.sum() == graph.operator("linear").bytes_read
    assert work.loads.bytes.max() <= 64 * 4000 * 2 // 4
    assert run(system, Plan((Stage("vector", (work,)),), (1,))).iteration_ps > 0


def test_a_request_that_no_scratchpad_holds_has_its_sentence(tiny) -> None:
    system = tiny("npu-only", "processor.scratchpad.bytes=200000", "processor.scratchpad.accumulator_bytes=200000")
    with pytest.raises(CapacityError) as error:
        list(serial_plan(lowered(system, graph_of("tokens", (4000,)), batches=((Request(0, 4000),),))).stages)
    assert str(error.value) == (
        "processor.scratchpad.bytes: 'layer0' wants 255,936 bytes at once, and there are 200,000: enlarge it, or "
        "shorten the requests"
    )
