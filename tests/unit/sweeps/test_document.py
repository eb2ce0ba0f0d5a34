"""What a sweep's file may hold, and the sentences for what it may not."""

import pytest

from neupims.errors import ConfigError
from neupims.sweeps.document import read_sweep


def values(sweep, name):
    [axis] = [axis for axis in sweep.axes if axis.names == (name,)]
    return [row[0] for row in axis.rows]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[64, 128]", [64, 128]),
        ("64", [64]),
        ("{from: 2, to: 5}", [2, 3, 4, 5]),
        ("{from: 2, to: 9, step: 3}", [2, 5, 8]),
        ("{from: 8, to: 64, factor: 2}", [8, 16, 32, 64]),
        ("{values: [8, 16], when: tp == 4}", [8, 16]),
    ],
)
def test_an_axis_is_a_list_a_range_or_logarithmic(read, text, expected):
    assert values(read(f"axes:\n  batch: {text}\n"), "batch") == expected


def test_a_range_of_fractions_has_no_rounding_noise(read):
    sweep = read("axes:\n  memory.clock_ghz: {from: 0.1, to: 0.5, step: 0.1}\n")
    assert values(sweep, "memory.clock_ghz") == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_words_of_a_switch_stay_words(read):
    assert values(read("axes:\n  interleaving: [on, off]\n"), "interleaving") == ["on", "off"]


def test_values_of_hardware_may_stand_in_sections(read):
    sweep = read("axes:\n  memory:\n    timing:\n      t_faw_ns: [20, 30]\n")
    assert values(sweep, "memory.timing.t_faw_ns") == [20, 30]


def test_zipped_names_go_together(read):
    [axis] = read("zip:\n  model: [gpt3-7b, gpt3-30b]\n  tp: [4, 8]\n").axes
    assert axis.names == ("model", "tp")
    assert axis.rows == (("gpt3-7b", 4), ("gpt3-30b", 8))


def test_the_name_is_that_of_the_file_unless_given(read):
    assert read("axes: {batch: 1}\n").name == "batches"
    assert read("name: mine\naxes: {batch: 1}\n").name == "mine"


WRONG = [
    ("axis: {batch: 1}\n", "{file}:1:1: axis: unknown key, did you mean axes?"),
    ("base: {model: gpt3-7b}\n", "{file}: axes: has none, must name at least one value to sweep"),
    ("axes:\n  bach: [1]\n", "{file}:2:3: axes.bach: unknown key, did you mean batch?"),
    (
        "axes:\n  memory.chanels: [1]\n",
        "{file}:2:3: axes.memory.chanels: unknown key, did you mean memory.organization.channels?",
    ),
    ("axes: [1]\n", "{file}:1:1: axes: must be a section"),
    (
        "base: {batch: 8}\naxes:\n  batch: [1]\n",
        "{file}:3:3: axes.batch: is given twice, first at {file}:1:8",
    ),
    ("base: {batch: [8, 16]}\naxes: {tp: 1}\n", "{file}:1:8: base.batch: must be one value; several belong in axes"),
    (
        "axes:\n  batch: {from: 1}\n",
        "{file}:2:3: axes.batch: must be a list, or have values, or from and to with a step or a factor",
    ),
    ("axes:\n  batch: {from: 9, to: 1}\n", "{file}:2:3: axes.batch: is empty: 9 is above 1"),
    ("axes:\n  batch: {from: a, to: 1}\n", "{file}:2:3: axes.batch: from, to, step and factor must be numbers"),
    (
        "axes:\n  batch: {from: 1, to: 9, factor: 1}\n",
        "{file}:2:3: axes.batch: a step must be above 0, a factor above 1 and begin above 0",
    ),
    (
        "zip:\n  tp: [1, 2]\n  pp: [1]\n",
        "{file}:1:1: zip: lists that go together must be equally long: tp has 2, pp has 1 values",
    ),
    ("axes: {batch: 1}\nderive:\n  x: [1]\n", "{file}:3:3: derive.x: must be an expression"),
]


@pytest.mark.parametrize(("text", "sentence"), WRONG)
def test_what_is_wrong_is_said_with_its_place(written, text, sentence):
    path = written(text)
    with pytest.raises(ConfigError) as error:
        read_sweep(path)
    assert str(error.value).startswith(sentence.replace("{file}", str(path)))


def test_all_problems_are_told_at_once(written):
    with pytest.raises(ConfigError) as error:
        read_sweep(written("axes:\n  bach: [1]\n  tpp: [1]\n"))
    assert len(str(error.value).splitlines()) == 2


def test_a_file_that_is_not_there_has_its_sentence(tmp_path):
    with pytest.raises(ConfigError, match=r"no\.yaml: cannot be read: no such file or directory"):
        read_sweep(tmp_path / "no.yaml")
