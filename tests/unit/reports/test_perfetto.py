import json

from neupims.reports.perfetto import chrome_trace, save_trace


def slices(trace, thread=None):
    return [e for e in trace["traceEvents"] if e["ph"] == "X" and (thread is None or e["tid"] == thread)]


def names(trace):
    return {e["tid"]: e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "thread_name"}


def test_every_stage_and_operator_is_a_slice(handmade):
    run = handmade()
    trace = chrome_trace(run)
    assert [e["name"] for e in slices(trace, 0)] == [f"stage {stage.name}" for stage in run.stages]
    assert len(slices(trace)) == len(run.stages) + len(run.operators)


def test_times_are_microseconds_with_exact_picoseconds_beside_them(handmade):
    run = handmade()
    stage, event = run.stages[1], slices(chrome_trace(run), 0)[1]
    assert (event["args"]["start_ps"], event["args"]["end_ps"]) == (stage.start_ps, stage.end_ps)
    assert (event["ts"], event["dur"]) == (stage.start_ps / 1e6, (stage.end_ps - stage.start_ps) / 1e6)


def test_threads_are_units_and_no_slices_of_one_overlap(handmade):
    trace = chrome_trace(handmade())
    assert list(names(trace).values()) == ["stages", "NPU", "NPU (2)", "vector", "vector (2)", "PIM"]
    for thread in names(trace):
        found = slices(trace, thread)
        ends = [event["args"]["end_ps"] for event in found]
        starts = [event["args"]["start_ps"] for event in found]
        assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))


def test_the_file_is_one_json_document(handmade, tmp_path):
    save_trace(handmade(), tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text()) == chrome_trace(handmade())
