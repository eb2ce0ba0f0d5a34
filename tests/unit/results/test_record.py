import json
import re
from pathlib import Path

import pytest

from neupims.errors import ResultError
from neupims.request import Request
from neupims.results.record import Comparison, Effort, RequestSummary, Run, load_runs
from neupims.results.spans import OperatorSpan, StageSpan, Utilization


def refused(sentence: str):
    return pytest.raises(ResultError, match=f"^{re.escape(sentence)}$")


CONTRACT = {
    "schema", "system", "hardware_digest", "model", "variant", "batch", "tp", "pp", "iteration_ns", "tokens_per_s",
    "utilization", "energy_mj", "stages", "operators", "commands", "wall_s", "version",
}  # fmt: skip


def test_a_record_has_the_keys_of_schema_1(handmade):
    record = handmade().to_json()
    assert record["schema"] == 1
    assert record.keys() >= CONTRACT
    assert record["utilization"].keys() == {"npu", "pim", "bandwidth"}
    assert record["energy_mj"].keys() == {"total", "dram", "pim", "npu", "link"}
    assert record["stages"][0].keys() >= {"name", "start_ns", "end_ns"}
    assert record["operators"][0].keys() >= {
        "name", "unit", "start_ns", "end_ns", "macs", "bytes_read", "bytes_written"
    }  # fmt: skip


def test_a_record_survives_json_unchanged(handmade):
    run = handmade(
        variant="large",
        layers=2,
        interleaving="on",
        requests=RequestSummary.of([Request(0, 5), Request(1, 9)]),
        channel_tokens=(5, 9),
        pim_busy=0.5,
        effort=Effort("fast", 100, 40),
    )
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run


def test_what_is_known_of_stages_and_operators_survives(handmade):
    shares = Utilization(0.5, 0.25, 0.75)
    run = handmade(
        stages=(StageSpan("A", 0, 5, 2, shares), StageSpan("B", 5, 9)),
        operators=(OperatorSpan("x", "array", 1, 4, 5, 6, 7, "gemm", 2001), OperatorSpan("y", "pim", 5, 9, 0, 0, 0)),
    )
    record = json.loads(json.dumps(run.to_json()))
    assert record["operators"][0]["busy_ns"] == 2.001
    assert "busy_ns" not in record["operators"][1]
    assert Run.from_json(record) == run


@pytest.mark.parametrize(
    ("model", "variant", "label"), [("gpt3-7b", "7b", "gpt3-7b"), ("gpt3", "7b", "gpt3-7b"), ("gpt3", None, "gpt3")]
)
def test_a_label_names_the_variant_once(handmade, model, variant, label):
    assert handmade(model=model, variant=variant).label == label


def test_every_field_of_a_run_is_in_its_record(handmade):
    fields = {name for name in Run.__dataclass_fields__ if name not in ("iteration_ps", "energy", "extra")}
    derived = {"iteration_ns", "energy_mj", "energy_per_token_mj", "power_w"}
    assert fields | derived | {"schema"} == handmade().to_json().keys()


def test_energy_per_token_is_of_all_devices_and_power_of_one(handmade):
    run = handmade(tp=4, pp=2, batch=256, iteration_ps=2 * 10**12)
    assert run.energy_per_token_mj == {part: mj * 8 / 256 for part, mj in run.energy.to_json().items()}
    assert run.power_w == {part: mj / 1000 / 2 for part, mj in run.energy.to_json().items()}
    assert run.to_json()["power_w"]["total"] == run.energy.total / 2000


def test_unknown_keys_survive_reading_and_writing(handmade):
    record = handmade().to_json() | {"colour": "blue"}
    run = Run.from_json(record)
    assert run.extra == {"colour": "blue"}
    assert run.to_json() == record


@pytest.mark.parametrize(("ps", "ns"), [(0, 0), (5000, 5), (1, 0.001), (123_456_789_012_345, 123_456_789_012.345)])
def test_times_are_ns_with_exact_thousandths(handmade, ps, ns):
    record = handmade(iteration_ps=ps).to_json()
    assert record["iteration_ns"] == ns
    assert Run.from_json(json.loads(json.dumps(record))).iteration_ps == ps


def test_a_request_summary_counts_tokens():
    summary = RequestSummary.of([Request(0, 5), Request(1, 9), Request(2, 1)])
    assert (summary.count, summary.tokens, summary.shortest, summary.longest, summary.mean) == (3, 15, 1, 9, 5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema": 2}, "record: schema 2; this version reads run records of schema 1"),
        ({"batch": "64"}, "record: batch: expected a whole number, not '64'"),
        ({"batch": True}, "record: batch: expected a whole number, not True"),
        ({"batch": -1}, "record: batch: expected a whole number of at least 0, not -1"),
        ({"system": None}, "record: system: expected a string, not null"),
        ({"stages": {}}, "record: stages: expected a list, not {}"),
        ({"stages": [3]}, "record: stages[0]: expected an object, not 3"),
        ({"utilization": {"npu": 1}}, "record: utilization: the key pim is missing; expected a number"),
        ({"commands": {"ACT": 0.5}}, "record: commands: ACT: expected a whole number, not 0.5"),
        ({"channel_tokens": ["a"]}, "record: channel_tokens: expected a list of whole numbers, not ['a']"),
        (
            {"iteration_ns": 0.0001},
            "record: iteration_ns: expected nanoseconds of at least 0 with no more than three decimals, not 0.0001",
        ),
        ({"model": ["x" * 99]}, "record: model: expected a string, not ['" + "x" * 35 + "..."),
    ],
)
def test_a_wrong_record_is_refused_with_the_place(handmade, change, sentence):
    with refused(sentence):
        Run.from_json(handmade().to_json() | change)


def test_a_record_without_schema_is_refused(handmade):
    record = handmade().to_json()
    del record["schema"]
    with refused("record: no schema number; this version reads run records of schema 1"):
        Run.from_json(record)


def test_save_and_load(handmade, tmp_path):
    path = tmp_path / "deep" / "result.json"
    handmade().save(path)
    assert Run.load(path) == handmade()
    assert [file.name for file in path.parent.iterdir()] == ["result.json"]


def test_saving_over_a_record_replaces_it(handmade, tmp_path):
    path = tmp_path / "result.json"
    handmade(batch=1).save(path)
    handmade(batch=2).save(path)
    assert Run.load(path).batch == 2


def test_a_failed_save_leaves_the_old_record(handmade, tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    handmade(batch=1).save(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neupims.results.files.os.replace", full)
    with refused(f"{path}: cannot be written: no space left on device"):
        handmade(batch=2).save(path)
    monkeypatch.undo()
    assert Run.load(path).batch == 1
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_a_folder_that_is_a_file_is_refused(handmade, tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "result.json"
    with pytest.raises(ResultError, match=re.escape(f"{path}: cannot be written: ")):
        handmade().save(path)


def test_a_missing_record_is_refused(tmp_path):
    with refused(f"{tmp_path / 'no.json'}: cannot be read: no such file or directory"):
        Run.load(tmp_path / "no.json")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ('{"wall_s": NaN}', "NaN is not a number that JSON knows"),
    ],
)
def test_a_file_that_is_not_json_is_refused(tmp_path, text, why):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with refused(f"{path}: not a JSON file: {why}"):
        Run.load(path)


def four(handmade) -> Comparison:
    speeds = {"gpu-a100": 1.0, "npu-only": 1.25, "npu-pim": 2.0, "neupims": 3.0}
    return Comparison(tuple(handmade(system, speed) for system, speed in speeds.items()))


def test_speedups_are_of_each_system_over_each_one_before_it(handmade):
    speedup = four(handmade).speedup
    assert list(speedup) == [
        "npu-only/gpu-a100", "npu-pim/gpu-a100", "neupims/gpu-a100",
        "npu-pim/npu-only", "neupims/npu-only", "neupims/npu-pim",
    ]  # fmt: skip
    assert speedup["neupims/npu-pim"] == pytest.approx(1.5)


def test_a_comparison_survives_json(handmade):
    comparison = four(handmade)
    record = comparison.to_json()
    assert record["speedup"]["neupims/gpu-a100"] == pytest.approx(3.0)
    assert Comparison.from_json(record) == comparison


def test_a_wrong_run_of_a_comparison_is_named(handmade):
    record = four(handmade).to_json()
    record["runs"][2]["tp"] = 0.5
    with refused("record: runs[2]: tp: expected a whole number, not 0.5"):
        Comparison.from_json(record)


def test_runs_are_found_in_records_comparisons_and_folders(handmade, tmp_path):
    handmade().save(tmp_path / "one.json")
    four(handmade).save(tmp_path / "result.json")
    assert load_runs(tmp_path / "one.json") == (handmade(),)
    assert load_runs(tmp_path / "result.json") == load_runs(tmp_path) == four(handmade).runs


def test_a_folder_without_a_result_is_refused(tmp_path: Path):
    with refused(f"{tmp_path / 'result.json'}: cannot be read: no such file or directory"):
        load_runs(tmp_path)
