"""Executors give every outcome once, whoever runs the points and whatever happens to a process."""

import os
import signal

import pytest

from neupims.errors import ConfigError
from neupims.request import JobSpec
from neupims.sweeps.execute import KILLED, dask, in_turn, local
from neupims.sweeps.store import Outcome

SPECS = [JobSpec(batch=batch) for batch in range(1, 8)]
FATAL = 3


def answer(spec):
    return Outcome(None, f"batch {spec.batch}")


def answer_or_die(spec):
    if spec.batch == FATAL:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(spec)


EXPECTED = {place: answer(spec) for place, spec in enumerate(SPECS)}


@pytest.mark.parametrize("executor", [in_turn, local(1), local(2)])
def test_every_outcome_comes_once(executor):
    outcomes = list(executor(answer, SPECS))
    assert len(outcomes) == len(SPECS)
    assert dict(outcomes) == EXPECTED


def test_a_point_that_kills_its_process_is_found_and_the_others_go_on():
    outcomes = list(local(2)(answer_or_die, SPECS))
    assert len(outcomes) == len(SPECS)
    assert dict(outcomes) == EXPECTED | {FATAL - 1: Outcome(None, KILLED)}


def test_a_dask_cluster_gives_the_same():
    pytest.importorskip("distributed", reason="Dask is not installed")
    assert dict(dask(None, 2)(answer, SPECS)) == EXPECTED


def test_a_scheduler_that_is_not_there_has_its_sentence():
    pytest.importorskip("distributed", reason="Dask is not installed")
    with pytest.raises(ConfigError, match=r"--address tcp://127\.0\.0\.1:1: no Dask scheduler answers"):
        list(dask("tcp://127.0.0.1:1", 1)(answer, SPECS))
