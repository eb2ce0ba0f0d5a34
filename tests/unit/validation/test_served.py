"""Records of served requests, and what is no such record."""

import json
from pathlib import Path

import pytest

from neupims.errors import RequestError
from neupims.validation.served import Engine, Served, read_engine, read_served

RECORD = {
    "input_toks": 5,
    "output_toks": 3,
    "queued_ts": 10.0,
    "scheduled_ts": 10.5,
    "first_token_ts": 12.0,
    "last_token_ts": 16.0,
}
SETTINGS = {
    "kv_cache": {"num_gpu_blocks": 100, "block_size": 16},
    "engine_kwargs": {"max_num_batched_tokens": 2048, "max_num_seqs": 256},
}


def test_times_count_from_the_first_arrival(tmp_path: Path) -> None:
    later = RECORD | {"queued_ts": 11.0, "input_toks": 6}
    (tmp_path / "r.jsonl").write_text(f"{json.dumps(later)}\n{json.dumps(RECORD)}\n")
    first, second = read_served(tmp_path / "r.jsonl")
    assert first == Served(5, 3, 0.0, 0.5, 2.0, 6.0)
    assert first.per_token == 2.0
    assert (second.prompt, second.queued) == (6, 1.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ": empty; each line holds a request with queued_ts, scheduled_ts, first_token_ts, last_token_ts"),
        ("{", ":1: not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (
            json.dumps(RECORD) + '\n{"queued_ts": 1, "input_toks": 2, "output_toks": 3, "scheduled_ts": 4}',
            ":2: no first_token_ts, last_token_ts",
        ),
    ],
)
def test_what_is_no_record(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(text)
    with pytest.raises(RequestError) as error:
        read_served(path)
    assert str(error.value) == f"{path}{problem}"


def test_one_block_of_the_cache_is_never_handed_out(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps(SETTINGS))
    assert read_engine(tmp_path / "m.json") == Engine(blocks=99, block_tokens=16, budget=2048, requests=256)


def test_settings_that_lack_something(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps({**SETTINGS, "kv_cache": {"block_size": 16}}))
    with pytest.raises(RequestError) as error:
        read_engine(path)
    assert str(error.value) == f"{path}: not the settings of a vLLM engine: KeyError: 'num_gpu_blocks'"
