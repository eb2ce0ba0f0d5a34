"""From axes to points."""

import json

import pytest

from neupims.errors import ConfigError
from neupims.sweeps.points import expand

BASE = "base: {model: gpt3-7b, layers: 1}\n"


def values(points):
    return [tuple(point.values.values()) for point in points]


def test_files_of_models_are_looked_for_beside_the_sweep(read, tmp_path):
    sizes = {"model_type": "gpt2", "n_layer": 1, "n_head": 2, "n_embd": 256, "n_positions": 64, "vocab_size": 128}
    (tmp_path / "small.json").write_text(json.dumps(sizes), encoding="utf-8")
    points = expand(read("base: {length: 8}\naxes:\n  system: [npu-only]\n  model: [small.json, gpt3-7b]\n"))
    assert [point.spec.model for point in points] == [str(tmp_path / "small.json"), "gpt3-7b"]


def test_the_last_axis_is_the_fastest(read):
    points = expand(read(BASE + "axes:\n  system: [npu-only, neupims]\n  batch: [8, 16]\n"))
    assert values(points) == [("npu-only", 8), ("npu-only", 16), ("neupims", 8), ("neupims", 16)]
    assert [point.number for point in points] == [1, 2, 3, 4]
    assert points[2].spec.systems == ("neupims",)
    assert (points[2].spec.model, points[2].spec.layers, points[2].spec.batch) == ("gpt3-7b", 1, 8)


def test_zipped_axes_do_not_multiply(read):
    zipped = "zip: {model: [gpt3-7b, gpt3-30b], tp: [4, 8]}\n"
    points = expand(read("base: {system: neupims}\n" + zipped + "axes: {batch: [8, 16]}\n"))
    assert values(points) == [("gpt3-7b", 4, 8), ("gpt3-7b", 4, 16), ("gpt3-30b", 8, 8), ("gpt3-30b", 8, 16)]


def test_an_axis_with_a_condition_leaves_the_others_alone(read):
    text = (
        BASE + "axes:\n  interleaving: {values: [on, off], when: system == 'neupims'}\n  system: [npu-only, neupims]\n"
    )
    points = expand(read(text))
    assert [dict(point.values) for point in points] == [
        {"interleaving": None, "system": "npu-only"},
        {"interleaving": "on", "system": "neupims"},
        {"interleaving": "off", "system": "neupims"},
    ]


def test_values_follow_from_others_and_may_be_settings(read):
    text = BASE + "axes:\n  system: [neupims]\n  tp: [2, 4]\nderive:\n  batch: 32 * tp\n  per_device: batch / tp\n"
    points = expand(read(text))
    assert values(points) == [("neupims", 2, 64, 32), ("neupims", 4, 128, 32)]
    assert [point.spec.batch for point in points] == [64, 128]


def test_points_for_which_a_condition_fails_are_left_out(read):
    text = (
        BASE
        + "axes:\n  system: [neupims]\n  tp: [1, 2, 4]\n  batch: [8, 16]\nwhere:\n  - batch * tp <= 32\n  - tp > 1\n"
    )
    assert values(expand(read(text))) == [("neupims", 2, 8), ("neupims", 2, 16), ("neupims", 4, 8)]


def test_dotted_names_are_read_in_conditions(read):
    text = BASE + "axes:\n  system: [neupims]\n  memory.timing.t_faw_ns: [20, 30]\nwhere: memory.timing.t_faw_ns > 20\n"
    [point] = expand(read(text))
    assert point.spec.overrides == ("memory.timing.t_faw_ns=30",)


def test_hardware_that_a_system_lacks_does_not_apply_to_it(read):
    points = expand(read(BASE + "axes:\n  system: [npu-only, neupims]\n  pim.queue: [8, 16]\n"))
    assert values(points) == [("npu-only", None), ("neupims", 8), ("neupims", 16)]
    assert points[0].spec.overrides == ()


def test_points_that_do_the_same_have_the_same_key(read):
    four, two = expand(read(BASE + "axes:\n  system: [neupims]\n  tp: [4, 2]\n"))
    [same] = expand(read("base: {model: gpt3, variant: 7b, layers: 1, seed: 0}\naxes: {system: [neupims]}\n"))
    assert four.key == same.key != two.key


def test_the_path_of_requests_does_not_matter_but_what_it_holds(read, tmp_path):
    keys = []
    for name, lengths in (("a", "100\n200\n"), ("b", "100\n200\n"), ("c", "100\n201\n")):
        (tmp_path / f"{name}.csv").write_text("seq_len\n" + lengths)
        keys.append(expand(read(BASE + f"axes: {{system: [neupims], requests: [{name}.csv]}}\n"))[0].key)
    assert keys[0] == keys[1] != keys[2]


def test_options_of_the_model_are_swept(read):
    points = expand(read(BASE.replace("layers: 1", "tp: 1") + "axes:\n  system: [neupims]\n  option.layers: [2, 4]\n"))
    assert [point.spec.options for point in points] == [{"layers": 2}, {"layers": 4}]
    assert points[0].key != points[1].key


SYSTEM = "axes:\n  system: [neupims]\n"
WRONG = [
    (
        SYSTEM + "where: batch > \n",
        "{file}:3:1: where: 'batch >' cannot be computed: it is no expression (invalid syntax)",
    ),
    (
        SYSTEM + "derive:\n  x: tq + 1\n",
        "{file}:4:3: derive.x: 'tq + 1' cannot be computed: 'tq' is not defined for expression 'tq + 1'; "
        "names that have a value here: system",
    ),
    ("axes:\n  batch: [8]\n", "batches: system: missing, must be given in base or in axes"),
    (SYSTEM + "where: 1 > 2\n", "batches: no point is left, where excludes all of them"),
    ("axes:\n  system: [neupimss]\n", "{file}:2:3: neupimss: unknown system, did you mean neupims?"),
    (SYSTEM + "  model: [gpt4]\n", "{file}:3:3: unknown model 'gpt4'"),
    (SYSTEM + "  tp: [0]\n", "{file}:3:3: tp: 0 is not allowed, must be a whole number of at least 1"),
    (
        SYSTEM + "  interleaving: [maybe]\n",
        "{file}:3:3: interleaving: maybe is not allowed, must be one of on, off, auto",
    ),
    (SYSTEM + "  memory.organization.channels: [0]\n", "{file}:3:3: --set memory.organization.channels=0: "),
    (
        "base: {seed: 1, length: 8}\n" + SYSTEM,
        "{file}:1:8: seed belongs to dataset; requests of a given length are not drawn",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), WRONG)
def test_a_job_that_cannot_be_is_told_before_anything_runs(read, tmp_path, text, sentence):
    with pytest.raises(ConfigError) as error:
        expand(read(text))
    assert str(error.value).startswith(sentence.replace("{file}", str(tmp_path / "batches.yaml")))
