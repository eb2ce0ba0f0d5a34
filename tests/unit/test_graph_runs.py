"""Models of any sort on the shipped systems, and decoders on both ways to run them."""

from dataclasses import replace

import pytest

from neupims.device_runs import Tools
from neupims.errors import ModelError
from neupims.graph import load_model
from neupims.graph_runs import is_decoder, simulate_graph
from neupims.hardware.load import load_system
from neupims.request import Batch, Phase, Request
from neupims.results.record import Run
from neupims.simulation import compare, plan, simulate

SYSTEMS = ("gpu-a100", "npu-only", "npu-pim", "neupims")
LENGTHS = (40, 170, 600, 130, 333, 800)
BATCH: Batch = tuple(Request(index, length) for index, length in enumerate(LENGTHS))
BOTH_WAYS = 0.06
"""By how much a decoder may take another time as a graph: q, k and v are copied, weights lie elsewhere."""


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_decoder_takes_about_the_same_time_as_any_other_graph(name: str) -> None:
    system = load_system(name, [] if name == "gpu-a100" else ["policy.placement=npu"])
    model = load_model("gpt3-7b", options={"width": 1024, "heads": 8, "layers": 4})
    one = simulate(system, model, BATCH, interleaving="off")
    other = simulate_graph(system, model, BATCH, "off", "fast", Tools(None, None))
    assert abs(other.iteration_ps / one.iteration_ps - 1) < BOTH_WAYS
    macs = [sum(times(run, span.name) * span.macs for span in run.operators) for run in (one, other)]
    assert macs[0] == macs[1]
    assert one.commands.get("PIM_HEADER") == other.commands.get("PIM_HEADER")


def times(run, name: str) -> int:
    return 4 if "layer0" in name else 1


def test_a_forward_pass_runs_on_all_systems() -> None:
    model = load_model("poolformer", options={"resolution": 64})
    runs = compare([load_system(name) for name in SYSTEMS], model, BATCH[:2]).runs
    assert [run.system for run in runs] == list(SYSTEMS)
    assert all(run.iteration_ps > 0 and run.batch == 2 and run.interleaving == "off" for run in runs)
    macs = {sum(span.macs for span in run.operators) for run in runs}
    assert len(macs) == 1


def test_engines_agree_on_a_forward_pass() -> None:
    system = load_system("neupims", ["memory.organization.channels=2"])
    model = load_model("poolformer", options={"resolution": 32, "depths": "1,1,1,1", "widths": "16,16,32,32"})
    runs = [simulate(system, model, BATCH[:1], engine=engine) for engine in ("fast", "plain", "reference")]
    first = replace(runs[0], wall_s=0, effort=None)
    assert all(replace(run, wall_s=0, effort=None) == first for run in runs)


def test_only_decoders_are_divided() -> None:
    model = load_model("poolformer")
    assert not is_decoder(model, BATCH)
    assert is_decoder(load_model("gpt3-7b"), BATCH)
    with pytest.raises(ModelError) as error:
        simulate(load_system("npu-only"), model, BATCH, tp=2, layers=1, periods=2)
    assert str(error.value) == (
        "poolformer-s12: --tp, --layers, --periods: only decoders of the GPT-3 and Llama families are divided or cut "
        "like this; other models are divided by --pp: leave it out"
    )


def test_the_plan_of_a_forward_pass_has_a_stage_for_each_block() -> None:
    made = plan(load_system("npu-only"), load_model("poolformer"), BATCH[:1])
    assert [stage.name for stage in made.stages] == [
        *("top.0", "stage1.block0.1", "top.2", "stage2.block0.3", "top.4", "stage3.block0.5"),
        *("top.6", "stage4.block0.7", "top.8"),
    ]
    assert made.repeats == (1, 2, 1, 2, 1, 6, 1, 2, 1)


def test_a_pipeline_serves_micro_batches_one_after_the_other() -> None:
    """Two devices hold half of the layers each, and serve each half of the batch in turn."""
    system, model = load_system("npu-only"), load_model("mamba-130m", options={"layers": 4})
    one, two = (simulate(system, model, BATCH[:4], pp=pp) for pp in (1, 2))
    assert (two.pp, two.devices, two.batch) == (2, 2, 4)
    assert 0.8 < two.iteration_ps / one.iteration_ps < 1.6
    with pytest.raises(ModelError) as error:
        simulate(system, model, BATCH[:1], pp=2)
    assert str(error.value) == "--pp 2 cuts a batch of 1 requests into empty parts; use at most 1"


@pytest.mark.parametrize("phase", ["prefill", "training"])
def test_other_phases_of_a_decoder_run_as_graphs(phase: Phase) -> None:
    model = load_model("gpt3-7b", options={"width": 256, "heads": 2, "layers": 2})
    runs = compare([load_system(name) for name in SYSTEMS], model, BATCH[:2], phase=phase).runs
    graph = model.trace(LENGTHS[:2], phase)
    assert {run.phase for run in runs} == {phase}
    assert {run.unit for run in runs} == {"requests"}
    assert all(done(run) == graph.macs for run in runs)


def done(run: Run) -> int:
    """Multiply-accumulates of all repetitions of the simulated stages."""
    ends = [(stage.end_ps, stage.repeats) for stage in run.stages]
    return sum(span.macs * next(repeats for end, repeats in ends if span.end_ps <= end) for span in run.operators)


def test_weights_in_the_banks_help_a_single_request() -> None:
    model = load_model("gpt3-7b", options={"width": 1024, "heads": 8, "layers": 2})
    usual, placed = (
        simulate(load_system("neupims", [f"policy.placement={word}"]), model, BATCH[2:3]) for word in ("npu", "auto")
    )
    assert placed.iteration_ps < 0.7 * usual.iteration_ps
    assert any(span.unit == "pim" and span.kind == "gemm" for span in placed.operators)
