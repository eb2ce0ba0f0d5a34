"""Results by content, in memory and in files."""

import copy
from dataclasses import dataclass, field

import numpy as np
import pytest

from neupims.errors import ResultError
from neupims.results.cache import ResultCache, code_version, content_key


class Counted:
    """Computes, and counts how often."""

    def __init__(self, value):
        self.value, self.calls = value, 0

    def __call__(self):
        self.calls += 1
        return self.value


def test_a_result_is_computed_once():
    cache, compute = ResultCache(), Counted([1, 2])
    assert cache.get("ab", compute) == ([1, 2], False)
    assert cache.get("ab", compute) == ([1, 2], True)
    assert cache.get("cd", compute) == ([1, 2], False)
    assert compute.calls == 2


def test_files_outlive_the_cache(tmp_path):
    compute = Counted({"x": 1})
    assert ResultCache(tmp_path / "new").get("ab", compute) == ({"x": 1}, False)
    assert ResultCache(tmp_path / "new").get("ab", compute) == ({"x": 1}, True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ab.pickle"]


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x05", b"cno_such_module\nx\n."])
def test_a_broken_file_is_computed_again(tmp_path, content):
    ResultCache(tmp_path).get("ab", Counted(1))
    (file,) = tmp_path.rglob("*.pickle")
    file.write_bytes(content)
    assert ResultCache(tmp_path).get("ab", Counted(2)) == (2, False)
    assert ResultCache(tmp_path).get("ab", Counted(3)) == (2, True)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match=r"file/ab/ab\.pickle: cannot be written: not a directory"):
        ResultCache(tmp_path / "file").get("ab", Counted(1))


def test_keys_depend_on_the_content_alone():
    one, same, other = np.arange(4), np.arange(4), np.array([0, 1, 2, 4])
    assert content_key("a", one) == content_key("a", same)
    assert len({content_key(*parts) for parts in (("a", one), ("a", other), ("b", one), (one, "a"))}) == 4


@dataclass(frozen=True)
class Pair:
    left: object
    right: object


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 2), (1, (2,))),
        (("ab", "c"), ("a", "bc")),
        (Pair(1, 2), Pair(2, 1)),
        (np.zeros(2, np.int32), np.zeros(1, np.int64)),
        (np.zeros((2, 1)), np.zeros((1, 2))),
        ({"a": 1}, {"a": 2}),
        (1, 1.0),
        (None, "None"),
    ],
)
def test_what_differs_has_different_keys(one, other):
    assert content_key(one) != content_key(other)
    assert content_key(one) == content_key(copy.deepcopy(one))


def test_a_key_is_made_of_data_only():
    with pytest.raises(TypeError, match=r"^a key cannot be made of object$"):
        content_key(Pair(1, object()))


def test_what_is_not_compared_is_not_in_a_key():
    @dataclass
    class WithTool:
        number: int
        tool: object = field(compare=False)

    assert (
        content_key(WithTool(1, object())) == content_key(WithTool(1, object())) != content_key(WithTool(2, object()))
    )


def test_the_version_changes_with_any_source(tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "a.py").write_text("x = 1")
    before = code_version((tmp_path / "room",))
    code_version.cache_clear()
    assert code_version((tmp_path / "room",)) == before
    (tmp_path / "room" / "a.py").write_text("x = 2")
    code_version.cache_clear()
    assert code_version((tmp_path / "room",)) != before
