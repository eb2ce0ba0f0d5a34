import json
from pathlib import Path

from neupims.results.record import Run


def test_one_system_is_simulated_and_kept(neupims, library):
    result = neupims("run", "neupims", "--batch", 4)
    assert (result.code, result.err) == (0, "")
    [folder] = Path("runs").iterdir()
    assert Run.load(folder / "result.json").system == "neupims"
    stages = [line.split() for line in result.out.splitlines() if "×" in line][1:]
    assert [stage[0] for stage in stages] == list("ABCDEF")
    assert stages[2] == ["C", "0.280", "ms", "47×", "82.2%"]


def test_json_is_the_record(neupims, library):
    result = neupims("run", "npu-only", "--batch", 4, "--json")
    assert Run.from_json(result.json).system == "npu-only"
    assert not Path("runs").exists()


def test_a_timeline_goes_to_its_file(neupims, library):
    neupims("run", "neupims", "--batch", 4, "--json", "--timeline", "trace.json")
    assert {"displayTimeUnit", "traceEvents"} == json.loads(Path("trace.json").read_text()).keys()


def test_a_timeline_that_cannot_be_written_is_refused(neupims, library):
    Path("file").write_text("")
    result = neupims("run", "neupims", "--batch", 4, "--json", "--timeline", "file/trace.json")
    assert result.code == 1
    assert result.err.startswith("file/trace.json: cannot be written: ")


def test_a_system_can_be_a_file_of_the_user(neupims, library):
    Path("mine.yaml").write_text("base: neupims\nname: mine\ntitle: Mine\nmemory:\n  organization:\n    channels: 8\n")
    neupims("run", "mine.yaml", "--batch", 4)
    assert library.systems[0].memory.organization.channels == 8


def test_every_setting_is_for_the_one_system(neupims, library):
    result = neupims("run", "gpu-a100", "--set", "memory.channels=16")
    assert result.code == 1
    assert library.systems == []


def test_the_system_is_needed(neupims, library):
    assert neupims("run").code == 2


def test_a_second_run_takes_what_the_cache_knows(neupims):
    job = ("npu-only", "--model", "gpt3-7b", "--batch", 4, "--tp", 16, "--layers", 1)
    first, again = (neupims("run", *job, "--cache", "known", "--json").json for _ in range(2))
    assert (first["effort"]["reused"], again["effort"]["run"]) == (0, 0)
    assert again["effort"]["reused"] == again["effort"]["commands"] > 0
    for record in (first, again):
        del record["effort"], record["wall_s"]
    assert first == again


def test_a_model_too_small_for_the_published_counter_is_refused(neupims):
    options = ("--option", "width=1", "--option", "heads=1", "--option", "layers=1")
    job = ("npu-only-authors", "--model", "gpt3-7b", *options, "--batch", 64, "--tp", 1)
    result = neupims("run", *job)
    assert result.code == 1
    assert result.err.endswith("use a wider model, or --set policy.counter_order=address\n")
    assert neupims("run", *job, "--set", "policy.counter_order=address").code == 0
