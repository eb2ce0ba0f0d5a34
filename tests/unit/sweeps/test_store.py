"""The folder of a sweep: nothing half written, one owner, clear errors."""

import errno

import pytest

from neupims.errors import ResultError
from neupims.results import files
from neupims.sweeps.store import Outcome, Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


@pytest.fixture
def outcome(handmade):
    return Outcome(handmade("neupims", 1.5))


def test_what_is_kept_is_known_again(store, outcome):
    with store.opened("", resume=False):
        assert store.known("a" * 64) is None
        store.keep("a" * 64, outcome)
        store.keep("b" * 64, Outcome(None, "does not fit"))
    assert store.known("a" * 64) == outcome
    assert store.known("b" * 64) == Outcome(None, "does not fit")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run": {}}', '{"run": 3}'])
def test_a_broken_file_is_a_point_that_has_not_been_run(store, content):
    with store.opened("", resume=False):
        (store.folder / "points" / f"{'a' * 24}.json").write_text(content)
        assert store.known("a" * 64) is None


def test_results_are_not_overwritten_by_mistake(store, outcome):
    with store.opened("", resume=False):
        store.keep("a" * 64, outcome)
    with pytest.raises(ResultError, match="holds results already; --resume goes on with them, --out chooses another"):
        store.opened("", resume=False).__enter__()
    with store.opened("", resume=True):
        assert store.known("a" * 64) == outcome


def test_two_sweeps_cannot_own_one_folder(store):
    with store.opened("", resume=False), pytest.raises(ResultError, match="another sweep is at work here"):
        Store(store.folder).opened("", resume=True).__enter__()
    with store.opened("", resume=True):
        pass


def test_a_folder_that_is_a_file_has_its_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match=r"file: cannot be made: (file exists|not a directory)"):
        Store(tmp_path / "file").opened("", resume=False).__enter__()


def test_a_folder_that_may_not_be_written_has_its_sentence(store, monkeypatch):
    monkeypatch.setattr("neupims.sweeps.store.os.access", lambda *_: False)
    with pytest.raises(ResultError, match="results: cannot be written: no permission"):
        store.opened("", resume=False).__enter__()


def test_a_full_disk_loses_nothing(store, outcome, monkeypatch):
    def full(path, data):
        path.write_bytes(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with store.opened("", resume=False):
        store.keep("a" * 64, outcome)
        with monkeypatch.context() as patch:
            patch.setattr(files, "_write_through", full)
            with pytest.raises(ResultError, match="cannot be written: no space left on device"):
                store.keep("b" * 64, outcome)
            with pytest.raises(ResultError, match="cannot be written: no space left on device"):
                store.keep("a" * 64, Outcome(None, "other"))
        assert store.known("a" * 64) == outcome
        assert store.known("b" * 64) is None
        assert [path.name for path in (store.folder / "points").iterdir()] == [f"{'a' * 24}.json"]


def test_what_a_killed_owner_had_begun_to_write_is_taken_away(store):
    with store.opened("", resume=False):
        part = store.folder / "points" / ".x.json.1.part"
        part.write_text("{")
    with store.opened("", resume=True):
        assert not part.exists()
