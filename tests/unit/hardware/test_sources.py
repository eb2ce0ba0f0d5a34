"""Every number names where it comes from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from neupims.errors import ConfigError
from neupims.hardware.inherit import system_files
from neupims.hardware.load import check_system, sources

Write = Callable[..., Path]


@pytest.mark.parametrize("name", [path.stem for path in system_files().values()])
def test_all_numbers_of_the_built_in_systems_have_a_source(name: str) -> None:
    assert check_system(name) == []


def test_sources_are_read_across_bases(write: Write) -> None:
    write()
    path = write("top.yaml", "base: tiny.yaml\nprocessor: {launch_us: 2}  # measured\ntitle: Top  # chosen\n")
    assert sources(path) == {
        "title": "chosen",
        "processor.peak_tflops": "data sheet",
        "processor.launch_us": "measured",
        "processor.energy.mac_pj": "assumed",
        "processor.energy.dram_pj_per_byte": "assumed",
        "processor.energy.static_w": "assumed",
    }


def test_a_new_value_loses_the_old_source(write: Write) -> None:
    write()
    path = write("top.yaml", "base: tiny.yaml\nprocessor:\n  peak_tflops: 100\n")
    assert "processor.peak_tflops" not in sources(path)
    assert "top.yaml:3:3: processor.peak_tflops: 100.0 has no source" in check_system(path)


def test_a_removed_value_has_no_source(write: Write) -> None:
    path = write("top.yaml", "base: npu-pim\npim: null  # removed\npolicy: {attention: stream}\n")
    assert not [key for key in sources(path) if key.startswith("pim")]


def test_numbers_without_a_source_are_listed_with_their_places(write: Write) -> None:
    assert check_system(write()) == [
        "tiny.yaml:1:1: processor.element_bytes: 2 is a default of the program and has no source",
        "tiny.yaml:6:3: processor.bandwidth_gb_s: 1555.0 has no source",
        "tiny.yaml:7:3: processor.memory_bytes: 1000 has no source",
        "tiny.yaml:8:3: processor.gemm_efficiency: 0.5 has no source",
        "tiny.yaml:9:3: processor.stream_efficiency: 0.5 has no source",
        "tiny.yaml:10:3: processor.attention_efficiency: 0.5 has no source",
        "tiny.yaml:11:3: processor.launch_us: 0.0 has no source",
        "tiny.yaml:14:3: link.bandwidth_gb_s: 64.0 has no source",
        "tiny.yaml:15:3: link.latency_us: 1.5 has no source",
        "tiny.yaml:16:3: link.energy_pj_per_bit: 5.0 has no source",
        "tiny.yaml:1:1: policy.sub_batch_count: 2 is a default of the program and has no source",
        "tiny.yaml:1:1: policy.interleaving_from: 256 is a default of the program and has no source",
    ]


def test_a_wrong_system_is_not_checked(write: Write) -> None:
    write()
    with pytest.raises(ConfigError, match=r"^top\.yaml:2:1: name: 3 is not allowed, must be a text$"):
        check_system(write("top.yaml", "base: tiny.yaml\nname: 3\n"))
