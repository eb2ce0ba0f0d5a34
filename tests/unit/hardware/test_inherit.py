"""Where systems are found and what they inherit."""

from collections.abc import Callable
from pathlib import Path

import pytest

from neupims.errors import ConfigError
from neupims.hardware.inherit import find_system, folders, system_files
from neupims.hardware.load import load_system

Write = Callable[..., Path]
SYSTEMS = "(systems: {}; or the path of a YAML file)"


def known() -> str:
    return SYSTEMS.format(", ".join(system_files()))


def error_of(name: str | Path) -> str:
    with pytest.raises(ConfigError) as error:
        load_system(name)
    return str(error.value)


def test_a_path_is_taken_as_it_is(write: Write) -> None:
    path = write("some/where.yaml")
    assert load_system(path) == load_system(str(path)) == load_system(path.resolve())


def test_users_systems_are_found_by_name_and_hide_built_in_ones(write: Write) -> None:
    write("hwconfigs/mine.yaml")
    write("hwconfigs/neupims.yaml")
    assert load_system("mine").name == load_system("neupims").name == "tiny"
    assert load_system("npu-pim").name == "npu-pim"
    assert {"mine", "neupims", "gpu-a100"} <= set(system_files())


def test_names_are_found_from_any_directory(write: Write) -> None:
    write()
    built_in = folders()[1]
    assert find_system("neupims") == built_in / "neupims.yaml"


def test_a_file_comes_over_its_base(write: Write) -> None:
    write("parts/base.yaml")
    path = write("top.yaml", "base: parts/base.yaml\nname: top\nlink: {latency_us: 9}\n")
    system = load_system(path)
    assert (system.name, system.title) == ("top", "A tiny system")
    assert (system.link.latency_us, system.link.bandwidth_gb_s) == (9, 64)


def test_bases_are_merged_in_order(write: Write) -> None:
    write()
    write("one.yaml", "link: {latency_us: 1, bandwidth_gb_s: 1}\n")
    write("two.yaml", "link: {latency_us: 2}\n")
    link = load_system(write("top.yaml", "base: [tiny.yaml, one.yaml, two.yaml]\n")).link
    assert (link.latency_us, link.bandwidth_gb_s) == (2, 1)


def test_bases_are_relative_to_their_file(write: Write) -> None:
    write("deep/parts/tiny.yaml")
    write("deep/middle.yaml", "base: parts/tiny.yaml\n")
    assert load_system(write("top.yaml", "base: deep/middle.yaml\n")).name == "tiny"


def test_built_in_systems_and_parts_can_be_bases(write: Write) -> None:
    mine = write("mine.yaml", "base: [neupims, parts/npu/8x128-32mib.yaml]\nname: mine\n")
    processor = load_system(mine).processor
    assert processor.kind == "npu"
    assert processor.scratchpad.bytes == 32 << 20


def test_a_users_system_may_build_on_the_built_in_one_of_the_same_name(write: Write) -> None:
    write("hwconfigs/neupims.yaml", "base: neupims\nmemory: {organization: {channels: 7}}\n")
    memory = load_system("neupims").memory
    assert memory is not None
    assert memory.organization.channels == 7


def test_null_removes_what_was_inherited(write: Write) -> None:
    plain = write("plain.yaml", "base: npu-pim\npim: null\npolicy: {attention: stream}\n")
    assert load_system(plain).pim is None
    assert load_system(write("again.yaml", "base: [plain.yaml, parts/pim/newton-single.yaml]\n")).pim is not None


def test_unknown_names_and_missing_files(write: Write) -> None:
    write()
    assert error_of("neupms") == f"neupms: unknown system, did you mean neupims? {known()}"
    assert error_of("quantum") == f"quantum: unknown system {known()}"
    assert error_of("no/npu-onli.yaml") == f"no/npu-onli.yaml: no such file, did you mean npu-only? {known()}"
    assert error_of(Path("nowhere")) == f"nowhere: no such file {known()}"


def test_circles_are_refused(write: Write) -> None:
    write("one.yaml", "base: two.yaml\n")
    write("two.yaml", "name: two\nbase: one.yaml\n")
    assert error_of("one.yaml") == "two.yaml:2:1: base: goes in a circle: one.yaml -> two.yaml -> one.yaml"
    assert error_of(write("self.yaml", "base: self.yaml\n")) == (
        "self.yaml:1:1: base: goes in a circle: self.yaml -> self.yaml"
    )


def test_a_base_used_twice_is_no_circle(write: Write) -> None:
    write()
    write("left.yaml", "base: tiny.yaml\n")
    write("right.yaml", "base: tiny.yaml\n")
    assert load_system(write("top.yaml", "base: [left.yaml, right.yaml]\n")).name == "tiny"


def test_a_missing_base_names_what_was_tried(write: Write) -> None:
    path = write("top.yaml", "name: top\nbase: parts/none.yaml\n")
    built_in = folders()[1] / "parts" / "none.yaml"
    assert error_of(path) == (
        f"top.yaml:2:1: base: no file parts/none.yaml, tried parts/none.yaml, hwconfigs/parts/none.yaml, {built_in}"
    )


@pytest.mark.parametrize("base", ["3", "[tiny.yaml, 3]", "{a: b}", "[[tiny.yaml]]"])
def test_a_base_of_the_wrong_kind(write: Write, base: str) -> None:
    write()
    assert error_of(write("top.yaml", f"base: {base}\n")) == (
        "top.yaml:1:1: base: must be a path, the name of a system, or a list of these"
    )


def test_files_that_are_not_text(write: Write, tmp_path: Path) -> None:
    write()
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9 1\n")
    assert error_of("latin.yaml") == "latin.yaml: is not UTF-8 text: invalid continuation byte at byte 9"


def test_a_byte_order_mark_is_no_harm(write: Write, tmp_path: Path) -> None:
    path = write()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_system(path).name == "tiny"


def test_problems_are_told_in_the_file_that_has_the_key(write: Write) -> None:
    write("parts/base.yaml", "link:\n  bandwith_gb_s: 64\n  latency_us: 1\n  energy_pj_per_bit: -1\n")
    write("tiny.yaml")
    path = write("top.yaml", "base: [tiny.yaml, parts/base.yaml]\nprocessor:\n  launch_us: now\n")
    assert error_of(path).splitlines() == [
        "top.yaml:3:3: processor.launch_us: 'now' is not allowed, must be a number",
        "parts/base.yaml:4:3: link.energy_pj_per_bit: -1 is not allowed, must be at least 0",
        "parts/base.yaml:2:3: link.bandwith_gb_s: unknown key, did you mean bandwidth_gb_s?",
    ]
