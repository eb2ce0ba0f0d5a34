"""All rooms together, on the smallest jobs that use them all."""

from dataclasses import replace

import pytest

from neupims.errors import CapacityError, ConfigError, ModelError
from neupims.graph import Model, load_model
from neupims.hardware.load import load_system
from neupims.machine.dram.memory import Engine
from neupims.request import Batch, Request
from neupims.results.record import Run
from neupims.simulation import compare, plan, simulate

SYSTEMS = ("gpu-a100", "npu-only", "npu-pim", "neupims", "npu-pim-authors", "neupims-authors", "npu-only-authors")
LENGTHS = (40, 70, 600, 130)
BATCH: Batch = tuple(Request(index, length, index % 3) for index, length in enumerate(LENGTHS))
TP = 16
EXTRAPOLATION = 0.02
"""By how much the time of repeated layers may differ from that of all layers one by one."""


@pytest.fixture
def gpt3() -> Model:
    return load_model("gpt3-7b")


@pytest.fixture
def small() -> Model:
    """One layer with one head."""
    return load_model("gpt3-7b", options={"width": 128, "heads": 1, "layers": 1})


def same(one: Run, other: Run) -> bool:
    """Whether all but what the simulation took is equal."""
    return replace(one, wall_s=0, effort=None) == replace(other, wall_s=0, effort=None)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_does_the_macs_of_the_layer_and_again_the_same(name: str, gpt3: Model) -> None:
    system = load_system(name)
    run = simulate(system, gpt3, BATCH, tp=TP, layers=1)
    (layer,) = gpt3.decode(LENGTHS).blocks
    assert TP * sum(operator.macs for operator in run.operators) == layer.macs
    assert (run.batch, run.tp, run.pp, run.layers, run.interleaving) == (4, TP, 1, 1, "off")
    assert run.iteration_ps == sum(stage.repeats * (stage.end_ps - stage.start_ps) for stage in run.stages)
    assert same(run, simulate(system, gpt3, BATCH, tp=TP, layers=1))


@pytest.mark.parametrize("barriers", ["true", "false"])
@pytest.mark.parametrize("name", ["npu-pim", "neupims"])
def test_all_engines_give_the_same_record(name: str, barriers: str, small: Model) -> None:
    system = load_system(name, ["memory.organization.channels=2", f"policy.stage_barriers={barriers}"])
    engines: tuple[Engine, ...] = ("fast", "plain", "reference")
    fast, plain, reference = (simulate(system, small, BATCH[:2], layers=1, engine=engine) for engine in engines)
    assert fast.commands["PIM_HEADER"] > 0
    assert same(fast, plain)
    assert same(plain, reference)


def test_all_engines_agree_on_split_requests_and_what_goes_beyond_the_paper(small: Model) -> None:
    beyond = ("pim.gwrite_overlap=true", "memory.controller.refresh_postpone=3", "pim.precharge_scope=all")
    policy = ("policy.split_requests=64", "policy.stage_barriers=false", "policy.attention_order=head")
    system = load_system("neupims", [*beyond, *policy, "memory.organization.channels=2"])
    batch = tuple(Request(i, n) for i, n in enumerate((40, 150)))
    engines: tuple[Engine, ...] = ("fast", "plain", "reference")
    fast, plain, reference = (simulate(system, small, batch, layers=1, engine=engine) for engine in engines)
    assert sum(fast.channel_tokens) == 190
    assert max(fast.channel_tokens) < 150
    assert same(fast, plain)
    assert same(plain, reference)


def test_splitting_long_requests_does_the_same_work_sooner(gpt3: Model) -> None:
    batch = tuple(Request(index, length) for index, length in enumerate((1500, 60, 70)))
    whole, split = (
        simulate(load_system("neupims", [f"policy.split_requests={above}"]), gpt3, batch, tp=TP, layers=1)
        for above in ("null", "256")
    )
    assert sum(operator.macs for operator in whole.operators) == sum(operator.macs for operator in split.operators)
    assert sum(split.channel_tokens) == sum(whole.channel_tokens) == 1630
    assert split.iteration_ps < whole.iteration_ps


def test_memory_commands_that_the_slack_held_up_go_when_it_has_run_out(small: Model) -> None:
    system = load_system("neupims", ["memory.organization.channels=1", "pim.deadline=published", "policy.head=false"])
    batch = tuple(Request(index, 250 + 7 * index) for index in range(6))
    engines: tuple[Engine, ...] = ("plain", "reference")
    plain, reference = (simulate(system, small, batch, layers=1, tp=1, engine=engine) for engine in engines)
    assert same(plain, reference)


@pytest.mark.parametrize("interleaving", ["off", "on"])
@pytest.mark.parametrize("name", ["npu-only", "npu-pim", "neupims", "neupims-authors"])
def test_engines_agree_on_a_whole_layer(name: str, interleaving: str, gpt3: Model) -> None:
    """Attention in few channels, so that most of the others do the same; the record says how much was run."""
    system = load_system(name)
    fast, plain = (
        simulate(system, gpt3, BATCH, tp=TP, layers=1, interleaving=interleaving, engine=engine)
        for engine in ("fast", "plain")
    )
    assert same(fast, plain)
    assert fast.effort is not None
    assert plain.effort is not None
    assert plain.effort.run == plain.effort.commands == fast.effort.commands
    assert fast.effort.run <= plain.effort.run
    assert name == "neupims-authors" or fast.effort.run < 0.8 * plain.effort.run


@pytest.mark.parametrize("interleaving", ["off", "on"])
@pytest.mark.parametrize("name", ["npu-only", "npu-pim", "neupims"])
def test_repeated_layers_take_as_long_as_each_simulated(name: str, interleaving: str, gpt3: Model) -> None:
    system = load_system(name)
    repeated, unrolled = (
        simulate(system, gpt3, BATCH, tp=TP, layers=3, interleaving=interleaving, unroll=unroll)
        for unroll in (False, True)
    )
    assert len(unrolled.stages) > len(repeated.stages)
    assert repeated.iteration_ps == pytest.approx(unrolled.iteration_ps, rel=EXTRAPOLATION)
    macs = [sum(operator.macs for operator in run.operators) for run in (repeated, unrolled)]
    assert macs[0] < macs[1]
    assert TP * macs[1] == 3 * gpt3.decode(LENGTHS).blocks[0].macs


@pytest.mark.parametrize("interleaving", ["off", "on"])
@pytest.mark.parametrize("name", ["npu-only", "npu-pim", "neupims"])
def test_the_middle_stands_for_the_others_without_barriers(name: str, interleaving: str, gpt3: Model) -> None:
    system = load_system(name, ["policy.stage_barriers=false"])
    repeated, unrolled = (
        simulate(system, gpt3, BATCH, tp=TP, layers=6, interleaving=interleaving, unroll=unroll)
        for unroll in (False, True)
    )
    assert len(unrolled.stages) > len(repeated.stages)
    assert repeated.iteration_ps == pytest.approx(unrolled.iteration_ps, rel=EXTRAPOLATION)


def test_weights_come_during_attention_where_no_barrier_is(gpt3: Model) -> None:
    """Serial execution: what the arrays need next is fetched while PIM works."""
    bound, free = (
        simulate(load_system("neupims", [f"policy.stage_barriers={barriers}"]), gpt3, BATCH, tp=TP, layers=3)
        for barriers in ("true", "false")
    )
    before, behind = (
        [stage.end_ps - stage.start_ps for stage in run.stages if stage.name == "E"] for run in (bound, free)
    )
    assert max(behind) < before[0]
    assert free.iteration_ps < bound.iteration_ps


@pytest.mark.parametrize("name", ["gpu-a100", "npu-only", "neupims"])
def test_the_whole_model_has_an_embedding_and_a_head(name: str, small: Model) -> None:
    run = simulate(load_system(name), small, BATCH)
    assert [run.stages[0].name, run.stages[-1].name] == ["in", "out"]
    assert sum(operator.macs for operator in run.operators) == small.decode(LENGTHS).macs


def test_micro_batches_go_through_the_layers_of_a_device_in_turn(gpt3: Model) -> None:
    run = simulate(load_system("neupims"), gpt3, BATCH, tp=TP, pp=2, layers=2)
    (layer,) = gpt3.decode(LENGTHS).blocks
    assert TP * sum(operator.macs for operator in run.operators) == layer.macs
    assert [stage.repeats for stage in run.stages] == [1] * len(run.stages)
    assert run.iteration_ps == run.stages[-1].end_ps


def test_compare_asks_only_pim_systems_to_interleave_and_reports_progress(gpt3: Model) -> None:
    steps: list[tuple[str, float]] = []
    systems = [load_system("npu-only"), load_system("neupims")]
    both = compare(systems, gpt3, BATCH, tp=TP, layers=1, interleaving="on", progress=lambda *step: steps.append(step))
    assert [run.interleaving for run in both.runs] == ["off", "on"]
    first, second = both.runs
    assert both.speedup == {"neupims/npu-only": second.tokens_per_s / first.tokens_per_s}
    assert [text for text, _ in steps] == [
        *(f"npu-only: stage {name}" for name in "ABE"),
        *(f"neupims: stage {name}" for name in "ABEF"),
    ]
    shares = [share for _, share in steps]
    assert shares == sorted(shares)
    assert (shares[0], shares[3]) == (0, 0.5)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"layers": 0}, "--layers 0: gpt3-7b has 1 to 32 layers"),
        ({"layers": 33}, "--layers 33: gpt3-7b has 1 to 32 layers"),
        ({"tp": 3}, "--tp 3 does not divide the model's 32 heads; use a divisor of 32"),
        ({"pp": 5}, "--pp 5 cuts a batch of 4 requests into empty parts; use at most 4"),
        ({"pp": 2, "layers": 1}, "--pp 2 is more than the model's 1 layers; use at most 1"),
    ],
)
@pytest.mark.parametrize("name", ["gpu-a100", "npu-only", "neupims"])
def test_wrong_settings_have_their_sentence(name: str, settings: dict[str, int], sentence: str, gpt3: Model) -> None:
    with pytest.raises(ModelError) as error:
        simulate(load_system(name), gpt3, BATCH, **settings)
    assert str(error.value) == sentence


def test_a_roofline_has_no_plan(gpt3: Model) -> None:
    with pytest.raises(ConfigError) as error:
        plan(load_system("gpu-a100"), gpt3, BATCH)
    assert str(error.value) == (
        "gpu-a100: processor.kind: a plan is made for an npu, not for a gpu; a gpu is timed as a roofline"
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "gpu-a100",
            "memory: 1000 requests do not fit: 3.1 GiB of weights and 250.0 GiB of KV cache make 253.1 GiB, and each "
            "device has 40.0 GiB: lower --batch, or raise --tp or --pp",
        ),
        (
            "npu-only",
            "memory: 1000 requests do not fit: 3.12 GiB of weights, 0.07 GiB of activations and 250.00 GiB of KV "
            "cache over 32 layers make 253.19 GiB, and each device has 32.00 GiB; about 115 such requests would fit: "
            "lower --batch, or raise --tp or --pp",
        ),
        (
            "neupims",
            "memory: the KV cache of request 96, with 2,048 tokens, takes 262,178 rows of banks, and the emptiest "
            "channel has 157,594 left: lower --batch, or raise --tp or --pp",
        ),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(name: str, sentence: str, gpt3: Model) -> None:
    with pytest.raises(CapacityError) as error:
        simulate(load_system(name), gpt3, tuple(Request(index, 2048) for index in range(1000)), tp=4)
    assert str(error.value) == sentence


def test_the_published_blocked_controller_refuses_interleaving():
    system, batch = load_system("npu-pim-authors"), tuple(Request(i, 40, i) for i in range(4))
    sentence = (
        "npu-pim-authors: the published controller with one row buffer locks up when NPU and PIM traffic overlap; "
        "use --interleaving off, or --set pim.ordered_writes=true"
    )
    with pytest.raises(ConfigError) as caught:
        simulate(system, load_model("gpt3-7b"), batch, tp=8, layers=1, interleaving="on")
    assert str(caught.value) == sentence


# Llama --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def llama() -> Model:
    """Llama 3 with two layers of 8 query heads on 4 heads of keys and values."""
    options = {"layers": 2, "width": 512, "heads": 8, "kv_heads": 4, "hidden": 1024, "vocabulary": 2000}
    return load_model("llama-3-8b", options=options)


@pytest.mark.parametrize("interleaving", ["off", "on"])
@pytest.mark.parametrize("name", ["npu-only", "npu-pim", "neupims"])
@pytest.mark.parametrize("tp", [1, 2])
def test_llama_does_the_macs_of_its_graph_everywhere(name: str, interleaving: str, tp: int, llama: Model) -> None:
    run = simulate(load_system(name), llama, BATCH, tp=tp, unroll=True, interleaving=interleaving)
    assert run.interleaving == interleaving
    assert tp * sum(operator.macs for operator in run.operators) == llama.decode(LENGTHS).macs
    names = {".".join(operator.name.split("@")[0].split(".")[-2:]) for operator in run.operators}
    assert {"attention.rotary", "ffn.gate_up", "ffn.swiglu", "ffn.down"} <= names


@pytest.mark.parametrize("name", ["npu-only", "npu-pim", "neupims"])
def test_engines_agree_on_grouped_queries(name: str) -> None:
    options = {"layers": 1, "width": 128, "heads": 2, "kv_heads": 1, "hidden": 128, "vocabulary": 128}
    system, model = load_system(name, ["memory.organization.channels=2"]), load_model("llama-3-8b", options=options)
    engines: tuple[Engine, ...] = ("fast", "plain", "reference")
    fast, plain, reference = (simulate(system, model, BATCH[:2], layers=1, engine=engine) for engine in engines)
    assert same(fast, plain)
    assert same(plain, reference)


@pytest.mark.parametrize("name", ["npu-only", "npu-pim", "neupims"])
def test_layers_of_llama_repeat(name: str, llama: Model) -> None:
    repeated, unrolled = (simulate(load_system(name), llama, BATCH, unroll=unroll) for unroll in (False, True))
    assert repeated.iteration_ps == pytest.approx(unrolled.iteration_ps, rel=EXTRAPOLATION)


def test_micro_batches_of_llama_go_through_the_layers_of_a_device(llama: Model) -> None:
    run = simulate(load_system("neupims"), llama, BATCH, tp=2, pp=2, layers=2)
    (layer,) = llama.decode(LENGTHS).blocks
    assert 2 * sum(operator.macs for operator in run.operators) == layer.macs


def test_passes_of_pim_follow_the_query_heads_and_not_the_cache() -> None:
    """The same 8 query heads on 8, 4 and 2 heads of keys and values read as many rows of values."""
    options = {"layers": 1, "width": 512, "heads": 8, "hidden": 512, "vocabulary": 128}
    models = [load_model("llama-3-8b", options={**options, "kv_heads": heads}) for heads in (8, 4, 2)]
    runs = [simulate(load_system("neupims"), model, BATCH, layers=1, interleaving="off") for model in models]
    (eight, four, two) = (run.commands["PIM_GWRITE"] for run in runs)
    scores = 8 * sum(-(-length // 512) for length in LENGTHS)
    assert (eight, four, two) == tuple(scores + 4 * queries for queries in (2, 2, 4))


@pytest.mark.parametrize("name", ["gpu-a100", "npu-only", "neupims"])
def test_a_context_beyond_the_positions_of_the_model_is_an_error(name: str, gpt3: Model) -> None:
    with pytest.raises(ModelError, match="a context of 2049 tokens is longer than the 2048 positions of the model"):
        simulate(load_system(name), gpt3, (Request(0, 2049, 0),), tp=TP, layers=1)
