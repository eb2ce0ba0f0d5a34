"""The systems that come with the program are what they say they are."""

from itertools import pairwise

import pytest

from neupims.hardware.inherit import system_files
from neupims.hardware.load import load_system
from neupims.hardware.npu import NpuSpec
from neupims.hardware.system import SystemSpec

SYSTEMS = [
    "gpu-a100",
    "gpu-rtx4090",
    "neupims",
    "neupims-authors",
    "neupims-plus",
    "npu-only",
    "npu-only-authors",
    "npu-pim",
    "npu-pim-authors",
]
PCIE_GB_S = 63
"""32 GT/s on 16 lanes, 128 of 130 bits data, per direction."""


def npu_of(system: SystemSpec) -> NpuSpec:
    assert system.processor.kind == "npu"
    return system.processor


def differing(one: SystemSpec, other: SystemSpec) -> set[str]:
    """Dotted keys in which two systems differ, their names aside."""

    def flat(data: object, prefix: str = "") -> dict[str, object]:
        if not isinstance(data, dict):
            return {prefix: data}
        return {k: v for key, value in data.items() for k, v in flat(value, f"{prefix}.{key}").items()}

    a, b = flat(one.model_dump()), flat(other.model_dump())
    return {key[1:] for key in a.keys() | b.keys() if a.get(key) != b.get(key)} - {"name", "title"}


def test_names_are_those_of_the_files() -> None:
    assert list(system_files()) == SYSTEMS
    assert [load_system(name).name for name in SYSTEMS] == SYSTEMS
    assert len({load_system(name).title for name in SYSTEMS}) == len(SYSTEMS)


@pytest.mark.parametrize("name", [name for name in SYSTEMS if not name.startswith("gpu-")])
def test_peaks_of_a_device(name: str) -> None:
    system = load_system(name)
    memory, arrays = system.memory, npu_of(system).arrays
    assert memory is not None
    assert memory.bandwidth_gb_s == 1024
    assert memory.organization.bytes == 32 << 30
    assert memory.organization.banks == 32
    assert memory.organization.burst_bytes == 64
    assert memory.organization.bursts_per_row == 16
    assert arrays.count * arrays.rows * arrays.columns == 131_072


def test_one_memory_for_all_npu_systems() -> None:
    """Only what goes beyond the paper refreshes in another way."""
    names = [name for name in SYSTEMS if not name.startswith("gpu-") and name != "neupims-plus"]
    clean = [load_system(name) for name in names if not name.endswith("-authors")]
    assert all(a.memory == b.memory for a, b in pairwise(clean))
    merges, limit = "memory.controller.merge_duplicates", "memory.controller.outstanding"
    responses = "memory.controller.responses_per_cycle"
    for name in names:
        if name.endswith("-authors"):
            found = {key for key in differing(clean[0], load_system(name)) if key.startswith("memory")}
            assert found == {merges, responses} | ({limit} if name == "npu-only-authors" else set())


def test_one_link_for_the_four_compared_and_the_published_one_for_the_authors() -> None:
    links = {name: load_system(name).link for name in SYSTEMS}
    published = {name for name in SYSTEMS if name.endswith("-authors")}
    assert len({links[name] for name in SYSTEMS if name not in published | {"gpu-rtx4090"}}) == 1
    assert {links[name].bandwidth_gb_s for name in published} == {PCIE_GB_S}


def test_npu_only_and_npu_pim_differ_in_pim_and_attention() -> None:
    plain, blocked = load_system("npu-only"), load_system("npu-pim")
    assert plain.pim is None
    assert {key for key in differing(plain, blocked) if not key.startswith("pim")} == {"policy.attention"}


def test_npu_pim_and_neupims_differ_as_the_paper_says() -> None:
    assert differing(load_system("npu-pim"), load_system("neupims")) == {
        "pim.row_buffers",
        "pim.second_row_buffer_area",
        "pim.composite_gemv",
        "policy.channel_packing",
        "policy.interleaving",
    }


def test_plus_differs_in_the_choice_that_helps() -> None:
    beyond = {"pim.precharge_scope", "pim.gwrite_overlap", "policy.stage_barriers", "policy.split_requests"}
    beyond.add("memory.controller.refresh_postpone")
    assert differing(load_system("neupims"), load_system("neupims-plus")) == beyond


def test_the_authors_differ_in_their_switches() -> None:
    timing = {"gemv_end", "activation_window", "row_timing", "column_gaps", "deadline", "ordered_writes"}
    arrays = {"dataflow", "folded", "double_buffered", "starts_in_past"}
    policy = {"channel_packing", "attention_order", "addresses", "stores", "value_write", "all_reduce", "head"}
    link = {"bandwidth_gb_s", "latency_us", "energy_pj_per_bit"}
    common = {f"pim.{key}" for key in timing} | {f"processor.arrays.{key}" for key in arrays}
    common |= {f"policy.{key}" for key in policy} | {"processor.vector.counts", "processor.prefetch"}
    common |= {"processor.vector.order", "pim.front_end.path"}
    common |= {f"memory.controller.{key}" for key in ("responses_per_cycle", "merge_duplicates")}
    common |= {f"link.{key}" for key in link} | {"policy.interleaving_auto", "policy.counter_order"}
    common |= {f"processor.{key}_cycles" for key in ("interconnect", "operator_gap", "stage_gap")}
    rate = "pim.front_end.per_cycle"
    assert differing(load_system("neupims"), load_system("neupims-authors")) == common | {rate}
    assert differing(load_system("npu-pim"), load_system("npu-pim-authors")) == common | {rate, "pim.front_end.scope"}


def test_the_authors_npu_without_pim_differs_from_their_others_in_its_branch() -> None:
    found = differing(load_system("neupims-authors"), load_system("npu-only-authors"))
    arrays = {f"processor.arrays.{key}" for key in ("preload", "starts_in_past", "vector_preload")}
    policy = {f"policy.{key}" for key in ("attention", "counter_span", "interleaving")}
    own = {f"processor.{key}" for key in ("loads_per_cycle", "reshape_cycles", "stage_gap_cycles")}
    own |= {"memory.controller.outstanding"}
    assert {key for key in found if not key.startswith("pim")} == arrays | policy | own


def test_the_authors_scratchpad_halves_are_68_7_megabytes() -> None:
    assert npu_of(load_system("neupims-authors")).scratchpad.bytes / 2 == pytest.approx(68.7e6, rel=1e-3)
