"""`--set a.b=c`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from neupims.errors import ConfigError
from neupims.hardware.load import load_system, sources
from neupims.hardware.memory import MemorySpec
from neupims.hardware.system import SystemSpec

Write = Callable[..., Path]


def error_of(*settings: str, system: str = "neupims") -> str:
    with pytest.raises(ConfigError) as error:
        load_system(system, settings)
    return str(error.value)


def memory_of(system: SystemSpec) -> MemorySpec:
    assert system.memory is not None
    return system.memory


@pytest.mark.parametrize("key", ["memory.organization.channels", "memory.channels", " memory.channels "])
def test_a_key_may_be_short(key: str) -> None:
    assert memory_of(load_system("neupims", [f"{key}=16"])).organization.channels == 16


def test_values_are_yaml() -> None:
    system = load_system("neupims", ["policy.interleaving=off", "policy.head=false", "title='a=b'"])
    assert (system.policy.interleaving, system.policy.head, system.title) == ("off", False, "a=b")
    turned = load_system("neupims", ["memory.address_map=[row, column, rank, group, bank, channel]"])
    assert memory_of(turned).address_map[1] == "column"


def test_sections_are_merged_and_removed() -> None:
    timing = memory_of(load_system("neupims", ["memory.timing={t_rp_ns: 15, t_cl_ns: 16}"])).timing
    assert (timing.t_rp_ns, timing.t_cl_ns, timing.t_ras_ns) == (15, 16, 34)
    assert load_system("neupims", ["pim=null", "policy.attention=stream"]).pim is None


def test_the_last_setting_wins_and_is_its_own_source() -> None:
    settings = ["memory.channels=16", "memory.channels=8"]
    assert memory_of(load_system("neupims", settings)).organization.channels == 8
    assert sources("neupims", settings)["memory.organization.channels"] == "--set memory.channels=8"


def test_a_section_that_has_defaults_may_be_absent(write: Write) -> None:
    assert load_system(write(), ["policy.interleaving=on"]).policy.interleaving == "on"


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("memory.channels=0", "memory.organization.channels: 0 is not allowed, must be greater than 0"),
        ("memory.channels=many", "memory.organization.channels: 'many' is not allowed, must be a whole number"),
        ("memory.channels=", "memory.organization.channels: has no value"),
        ("memory.channels={a: 1}", "memory.organization.channels: a section is not allowed, must be a whole number"),
        ("memory.timing.t_rpp_ns=3", "memory.timing.t_rpp_ns: unknown key, did you mean t_rp_ns?"),
        ("memory.t_rpp_ns=3", "memory.t_rpp_ns: unknown key, did you mean memory.timing.t_rp_ns?"),
        ("memory.timing={t_rpp_ns: 3}", "memory.timing.t_rpp_ns: unknown key, did you mean t_rp_ns?"),
        ("memory.timing=3", "memory.timing: 3 is not allowed, must be a section of keys"),
        ("channels=16", "channels: unknown key, did you mean memory.organization.channels?"),
        (
            "link.colour=red",
            "link.colour: unknown key, allowed in link are bandwidth_gb_s, latency_us, energy_pj_per_bit",
        ),
        ("base=npu", "base: unknown key, allowed are name, title, processor, memory, pim, link, policy"),
        (
            "processor.count=2",
            "processor.count: could be processor.arrays.count or processor.vector.count, write it in full",
        ),
        ("memory.clock_ghz=1.2", "memory.clock_ghz: a clock of 1.2 GHz has no period in whole picoseconds"),
        ("policy.interleaving=yes", "policy.interleaving: 'yes' is not allowed, must be 'on', 'off' or 'auto'"),
        ("memory.channels={", "is not YAML: did not find expected node content"),
        ("memory.channels", "is not of the form KEY=VALUE, such as memory.channels=16"),
        ("=16", "is not of the form KEY=VALUE, such as memory.channels=16"),
    ],
)
def test_wrong_settings(setting: str, what: str) -> None:
    assert error_of(setting) == f"--set {setting}: {what}"


def test_settings_that_do_not_go_together_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    assert error_of("memory.row_bytes=512", "memory.channels=4") == (
        "hwconfigs/neupims.yaml:3:1: pim.vector_buffer_bytes must be one row (512 bytes): PIM_GWRITE copies a row "
        "(with --set memory.channels=4, --set memory.row_bytes=512)"
    )


def test_a_section_that_a_system_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    assert error_of("memory.channels=16", system="gpu-a100") == (
        "--set memory.channels=16: memory.channels: the system has no memory section (hwconfigs/gpu-a100.yaml:2:1)"
    )
