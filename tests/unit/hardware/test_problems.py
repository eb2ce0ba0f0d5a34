"""Every wrong value of a file gets a sentence with its place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from neupims.errors import ConfigError
from neupims.hardware.load import load_system

Write = Callable[..., Path]
NPU = """\
base: npu-pim
processor:
  arrays:
    {}
"""


def error_of(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load_system(path)
    return str(error.value)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("count: 0", "count: 0 is not allowed, must be greater than 0"),
        ("count: 1.5", "count: 1.5 is not allowed, must be a whole number"),
        ("count: '8'", "count: '8' is not allowed, must be a whole number"),
        ("count: true", "count: true is not allowed, must be a whole number"),
        ("count: [8]", "count: a list is not allowed, must be a whole number"),
        ("count: {a: 8}", "count: a section is not allowed, must be a whole number"),
        ("folded: 1", "folded: 1 is not allowed, must be true or false"),
        ("folded: yes", "folded: 'yes' is not allowed, must be true or false"),
        ("dataflow: 3", "dataflow: 3 is not allowed, must be 'weight_stationary', 'activation_stationary', "
         "'output_stationary' or 'fastest'"),
        ("dataflow: fast", "dataflow: 'fast' is not allowed, must be 'weight_stationary', 'activation_stationary', "
         "'output_stationary' or 'fastest'"),
        ("counts: 8", "counts: unknown key, did you mean count?"),
        ("counts: null", "counts: unknown key, did you mean count?"),
        ("t_rp: 8", "t_rp: unknown key, did you mean memory.timing.t_rp_ns?"),
        ("xyz: 8", "xyz: unknown key, allowed in processor.arrays are count, rows, columns, dataflow, folded, "
         "double_buffered, starts_in_past, preload, vector_preload"),
        ("rows: null", "rows: has no value"),
        ("rows:", "rows: has no value"),
    ],
)  # fmt: skip
def test_wrong_values(write: Write, line: str, what: str) -> None:
    assert error_of(write("npu.yaml", NPU.format(line))) == f"npu.yaml:4:5: processor.arrays.{what}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("processor: {gemm_efficiency: 1.5}",
         "x.yaml:2:13: processor.gemm_efficiency: 1.5 is not allowed, must be at most 1"),
        ("processor: {energy: {mac_pj: 1e999}}",
         "x.yaml:2:22: processor.energy.mac_pj: inf is not allowed, must be a finite number"),
        ("processor: {kind: tpu}", "x.yaml:2:1: processor: kind 'tpu' is not allowed, must be one of 'npu', 'gpu'"),
        ("processor: {kind: null}", "x.yaml:2:1: processor: has no kind, write kind: npu or kind: gpu"),
        ("processor: 3", "x.yaml:2:1: processor: 3 is not allowed, must be a section of keys"),
        ("link: [1]", "x.yaml:2:1: link: a list is not allowed, must be a section of keys"),
        ("link: null", "x.yaml:2:1: link: has no value"),
        ("name: 3", "x.yaml:2:1: name: 3 is not allowed, must be a text"),
        ("colour: red",
         "x.yaml:2:1: colour: unknown key, allowed are name, title, processor, memory, pim, link, policy"),
        ("prosessor: {kind: gpu}", "x.yaml:2:1: prosessor: unknown key, did you mean processor?"),
        ("policy: {attention: pim}", "x.yaml:1:1: policy.attention is 'pim' but there is no pim section"),
    ],
)  # fmt: skip
def test_wrong_sections(write: Write, text: str, sentence: str) -> None:
    write()
    assert error_of(write("x.yaml", f"base: tiny.yaml\n{text}\n")) == sentence


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("address_map: [row, rank, group, bank, column]",
         "x.yaml:2:1: memory: address_map must name each of row, rank, group, bank, column, channel once"),
        ("address_map: [row, rank, group, bank, column, colum]",
         "x.yaml:3:3: memory.address_map.5: 'colum' is not allowed, must be 'row', 'rank', 'group', 'bank', 'column' "
         "or 'channel'"),
        ("address_map: row", "x.yaml:3:3: memory.address_map: 'row' is not allowed, must be a list"),
        ("organization: {burst_length: 3}",
         "x.yaml:3:18: memory.organization.burst_length: 3 is not allowed, must be a multiple of 2"),
        ("organization: {row_bytes: 1000}",
         "x.yaml:3:3: memory.organization: row_bytes 1000 is not a multiple of the burst of 64 bytes"),
        ("timing: {t_refi_ns: 500}",
         "x.yaml:2:1: memory: timing.t_rfc_ns 260 must be less than timing.t_refi_ns / organization.ranks, that is "
         "250: refresh would leave no time for anything else"),
        ("clock_ghz: 0.7", "x.yaml:3:3: memory.clock_ghz: a clock of 0.7 GHz has no period in whole picoseconds"),
    ],
)  # fmt: skip
def test_parts_that_cannot_be(write: Write, line: str, sentence: str) -> None:
    assert error_of(write("x.yaml", f"base: npu-only\nmemory:\n  {line}\n")) == sentence


def test_refresh_may_be_off_whatever_its_interval(write: Write) -> None:
    text = "base: npu-only\nmemory: {timing: {t_refi_ns: 500}, controller: {refresh: off}}\n"
    memory = load_system(write("x.yaml", text)).memory
    assert memory is not None
    assert memory.controller.refresh == "off"


def test_missing_keys_point_to_their_section(write: Write) -> None:
    path = write("x.yaml", "name: x\ntitle: X\nprocessor:\n  kind: gpu\nlink:\n  latency_us: 1\n")
    needed = "missing, must be given here or in a base"
    gpu = ("peak_tflops", "bandwidth_gb_s", "memory_bytes", "gemm_efficiency", "stream_efficiency")
    gpu += ("attention_efficiency", "launch_us", "energy")
    assert error_of(path).splitlines() == [
        *(f"x.yaml:3:1: processor.{key}: {needed}" for key in gpu),
        f"x.yaml:5:1: link.bandwidth_gb_s: {needed}",
        f"x.yaml:5:1: link.energy_pj_per_bit: {needed}",
    ]


def test_missing_sections_point_to_the_file(write: Write) -> None:
    needed = "missing, must be given here or in a base"
    assert error_of(write("x.yaml", "name: x\n")).splitlines() == [
        f"x.yaml:1:1: title: {needed}",
        f"x.yaml:1:1: processor: {needed}",
        f"x.yaml:1:1: link: {needed}",
    ]


def test_an_npu_needs_memory(write: Write) -> None:
    assert error_of(write("x.yaml", "base: npu-only\nmemory: null\n")) == "x.yaml:1:1: an npu needs a memory section"


def test_all_problems_are_told_at_once(write: Write) -> None:
    text = "base: npu-only\nmemory:\n  timing:\n    t_rpp_ns: 14\n    t_cl_ns: -1\n  clock: 1\n"
    assert error_of(write("x.yaml", text)).splitlines() == [
        "x.yaml:5:5: memory.timing.t_cl_ns: -1 is not allowed, must be greater than 0",
        "x.yaml:4:5: memory.timing.t_rpp_ns: unknown key, did you mean t_rp_ns?",
        "x.yaml:6:3: memory.clock: unknown key, did you mean clock_ghz?",
    ]
