from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from neupims.isa.memory import GWRITE, INSTRUCTION, RUN, TILE
from neupims.isa.run_source import GivenRuns
from neupims.isa.verify import Bounds, problems, verify
from neupims.isa.work import STEP, Loads, NpuWork, PimRequest, PimWork, Plan, Records, Stage, Stores

BOUNDS = Bounds(channels=2, banks=4, rows=16, bursts_per_row=4, burst_bytes=64)


def runs(*blocks: int, write: int = 0) -> Records:
    made = np.zeros(len(blocks), RUN)
    made["block"], made["bursts"], made["write"] = blocks, 2, write
    return made


def gemm() -> NpuWork:
    steps = np.zeros(2, STEP)
    steps["loads"], steps["stream"], steps["frees"] = [1, 2], 8, [128, 100]
    loads = Loads(GivenRuns(runs(0, 1)), np.array([128, 100]), np.array([True, False]))
    stores = Stores(runs(0, write=1), np.array([128]), np.array([1], np.int32))
    return NpuWork("gemm", "gemm", "array", steps, loads, stores)


def attention() -> PimWork:
    logit, attend = np.zeros(2, INSTRUCTION), np.zeros(3, INSTRUCTION)
    for program, kinds in ((logit, [GWRITE, TILE]), (attend, [GWRITE, TILE, TILE])):
        program["kind"], program["gate"], program["block"] = kinds, -1, -1
        program["groups"] = program["macs"] = program["kind"] == TILE
    logit["block"][1], logit["groups"][1] = 0, 2
    attend["block"][1:] = [0, 1]
    attend["gate"][0] = 0
    scores = runs(0, write=1)
    scores["feeds_pim"] = 1
    request = PimRequest(7, 0, 30, logit, attend, scores, runs(0, write=1))
    return PimWork("attention", 2, 16, (request,))


def plan(npu: NpuWork | None = None, pim: PimWork | None = None) -> Plan:
    return Plan((Stage("A", (npu or gemm(),), (pim or attention(),)),), (1,))


def test_a_legal_plan_has_no_problems() -> None:
    assert problems(plan(), BOUNDS) == []
    verify(plan(), BOUNDS)


def found(made: Plan) -> list[str]:
    return problems(made, BOUNDS)


def with_runs(change: Callable[[Records], None], which: str) -> Plan:
    work = gemm()
    change(work.loads.runs if which == "loads" else work.stores.runs)
    return plan(work)


def put(name: str, value: object) -> Callable[[Records], None]:
    def change(records: Records) -> None:
        records[name] = value

    return change


@pytest.mark.parametrize("which", ["loads", "stores"])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (put("channel", 2), "a run has a channel outside 0 to 1"),
        (put("bank", -1), "a run has a bank outside 0 to 3"),
        (put("row", 16), "a run has a row outside 0 to 15"),
        (put("column", 3), "a run leaves its row"),
        (put("column", -1), "a run is empty"),
    ],
)
def test_runs_inside_the_memory(which: str, change: Callable[[Records], None], sentence: str) -> None:
    assert f"A: gemm: {which}: {sentence}" in found(with_runs(change, which))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (put("block", [1, 0]), "loads: runs are not sorted by block"),
        (put("block", [0, 2]), "loads: a run has a block outside 0 to 1"),
        (put("write", 1), "loads: a run goes in the wrong direction"),
        (put("bursts", 1), "the runs of a load hold less than its bytes"),
    ],
)
def test_loads(change: Callable[[Records], None], sentence: str) -> None:
    assert f"A: gemm: {sentence}" in found(with_runs(change, "loads"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (put("loads", [2, 1]), "steps do not want ever more loads"),
        (put("loads", [1, 1]), "the last step wants 1 of 2 loads"),
        (put("stream", 0), "a step streams nothing"),
        (put("frees", [0, 100]), "steps free 100 of 228 bytes"),
        (put("frees", [228, 0]), "a step frees what is not there yet"),
    ],
)
def test_steps(change: Callable[[Records], None], sentence: str) -> None:
    work = gemm()
    change(work.steps)
    assert f"A: gemm: {sentence}" in found(plan(work))


@pytest.mark.parametrize(
    ("stores", "sentence"),
    [
        (Stores(runs(0, write=1), np.array([128]), np.array([2])), "a store follows a step that does not exist"),
        (Stores(runs(0, 1, write=1), np.array([8, 8]), np.array([1, 0])), "stores are not in the order of their steps"),
        (Stores(runs(0, write=1), np.array([8, 8]), np.array([0, 1])), "a store has no runs"),
        (Stores(runs(0, write=1), np.array([8]), np.array([0, 1])), "1 stores follow 2 steps"),
    ],
)
def test_stores(stores: Stores, sentence: str) -> None:
    assert f"A: gemm: {sentence}" in found(plan(replace(gemm(), stores=stores)))


def test_an_empty_load_and_a_missing_flag() -> None:
    loads = Loads(GivenRuns(runs(0, 1)), np.array([128, 0]), np.array([True]))
    sentences = found(plan(replace(gemm(), loads=loads)))
    assert "A: gemm: a load is empty" in sentences
    assert "A: gemm: 2 loads have 1 early flags" in sentences


def with_request(**changes: object) -> Plan:
    work = attention()
    return plan(pim=replace(work, requests=(replace(work.requests[0], **changes),)))


def program(part: str, name: str, value: object) -> Plan:
    records = getattr(attention().requests[0], part)
    records[name] = value
    return with_request(**{part: records})


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (program("logit", "channel", 1), "logit: an instruction is not for channel 0"),
        (program("logit", "kind", TILE), "logit: the program does not begin with a GWRITE"),
        (program("attend", "row", 16), "attend: an instruction has a row outside 0 to 15"),
        (program("logit", "macs", 0), "logit: a tile computes nothing"),
        (program("attend", "block", [-1, 1, 1]), "attend: the results that are reported are not 0 to 1"),
        (program("logit", "gate", 0), "a logit instruction has a gate"),
        (
            program("attend", "gate", -1),
            "the attend program does not wait for the scores at its first instruction",
        ),
        (program("scores", "channel", 1), "scores are written to another channel"),
        (
            program("scores", "row", 3),
            "the attend program does not read the rows to which the scores are written",
        ),
        (program("scores", "block", 2), "scores: a run has a block outside 0 to 1"),
        (program("output", "write", 0), "output: a run goes in the wrong direction"),
    ],
)
def test_programs(made: Plan, sentence: str) -> None:
    assert f"A: attention: request 7: {sentence}" in found(made)


def test_repeats_and_stages() -> None:
    assert found(Plan((), (1,))) == ["0 stages have 1 repeats"]
    assert found(Plan(plan().stages, (0,))) == ["a stage is repeated less than once"]


def test_verify_raises_the_problems() -> None:
    work = gemm()
    work.steps["stream"] = 0
    with pytest.raises(ValueError, match=r"^illegal plan: A: gemm: a step streams nothing$"):
        verify(plan(work), BOUNDS)


def after(*stages: tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]], barriers: bool = False) -> Plan:
    """Stages of NPU and PIM works, each a name and the names that it comes after."""
    made = tuple(
        Stage(
            f"S{index}",
            tuple(replace(gemm(), name=name, after=tuple(others.split())) for name, others in npu),
            tuple(replace(attention(), name=name, after=tuple(others.split())) for name, others in pim),
        )
        for index, (npu, pim) in enumerate(stages)
    )
    return Plan(made, (1,) * len(made), barriers=(True, *(barriers,) * (len(made) - 1)))


def test_works_may_come_after_those_of_the_other_program() -> None:
    steps = ((("a", ""), ("b", "p")), (("p", "a"),)), ((("c", "q"),), (("q", "a b"),))
    assert found(after(*steps)) == []
    assert found(after(*steps, barriers=True)) == [
        "S1: q: it comes after 'a', which is no work of the NPU program",
        "S1: q: it comes after 'b', which is no work of the NPU program",
    ]


def test_names_that_say_nothing() -> None:
    assert found(after(((("a", ""), ("b", "a x")), (("p", "a"),)))) == [
        "S0: b: it comes after 'a', which is no work of the PIM program",
        "S0: b: it comes after 'x', which is no work of the PIM program",
    ]
    assert found(after(((("a", ""), ("a", "")), (("p", "a"),)))) == [
        "S0: p: it comes after 'a', which stands for several works of the NPU program"
    ]


def test_works_that_wait_for_each_other() -> None:
    assert found(after(((("a", "p"), ("b", "")), (("p", "b"),)))) == [
        "works wait for each other: a after p after b after a"
    ]


def test_a_barrier_for_each_stage() -> None:
    assert found(replace(plan(), barriers=())) == ["1 stages have 0 barriers"]


def test_parts_of_a_request() -> None:
    assert "A: attention: the first request continues another one" in found(with_request(continues=True))
    assert "A: attention: request 7: a further part writes an output" in found(with_request(continues=True))
