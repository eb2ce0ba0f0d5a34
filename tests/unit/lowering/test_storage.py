import numpy as np

from neupims.isa.address import AddressMap
from neupims.isa.counter import RunningCounter
from neupims.lowering.places import RowMajor, rectangles
from neupims.lowering.storage import Access, CounterStorage, PlacedStorage, loads, stores

ADDRESS = AddressMap((("row", 64), ("rank", 1), ("group", 2), ("bank", 2), ("column", 4), ("channel", 4)), 64)
EB = 2


def access(base: int, rows: list[int], blocks: list[int]) -> Access:
    """Rows of 32 numbers, one burst each."""
    index = np.array(rows)
    return Access(RowMajor(ADDRESS, base, 32, EB), rectangles(index, index + 1, 0, 32), np.array(blocks))


def channels(runs: np.ndarray) -> list[int]:
    return runs["channel"].tolist()


def test_placed_accesses_are_merged_by_block() -> None:
    runs = PlacedStorage().runs([access(0, [0, 1], [0, 2]), access(1024, [2, 3], [0, 1])])
    assert runs["block"].tolist() == [0, 0, 1, 2]
    assert channels(runs) == [0, 2, 3, 1]


def test_a_block_without_accesses_in_one_place_is_no_matter() -> None:
    assert len(PlacedStorage().runs([access(0, [], [])])) == 0


def test_the_counter_goes_on_through_all_accesses_in_block_order() -> None:
    storage = CounterStorage(RunningCounter(ADDRESS, wrap=4096, element_bytes=EB))
    first = storage.runs([access(0, [9, 9], [0, 2]), access(0, [9], [1])])
    second = storage.runs([access(0, [9], [0])], write=True)
    assert channels(first) == [0, 1, 1, 2, 2, 3]  # advanced before it is used: 64 bytes from byte 2 on are two bursts
    assert first["block"].tolist() == [0, 0, 1, 1, 2, 2]
    assert channels(second) == [3, 0]
    assert second["write"].tolist() == [1, 1]
    assert storage.counter.cursor == 256


def test_the_counter_wraps_and_cuts_what_crosses_its_end() -> None:
    counter = RunningCounter(ADDRESS, wrap=256, element_bytes=EB, cursor=192)
    runs = counter.take(np.array([128]), np.array([0]), write=False)
    assert channels(runs) == [3, 0, 1]
    assert set(runs["row"].tolist()) == set(runs["bank"].tolist()) == {0}
    assert counter.cursor == 64


def test_the_counter_may_wrap_several_times_in_one_block() -> None:
    counter = RunningCounter(ADDRESS, wrap=128, element_bytes=EB)
    runs = counter.take(np.array([320]), np.array([0]), write=False)
    assert channels(runs) == [0, 1, 0, 1, 0, 1]


def test_loads_know_their_bytes() -> None:
    made = loads(PlacedStorage(), [access(0, [0, 1], [0, 1]), access(1024, [2], [1])], np.array([True, False]), EB)
    assert made.bytes.tolist() == [64, 128]
    assert made.early.tolist() == [True, False]


def test_stores_without_runs_are_left_out() -> None:
    made = stores(PlacedStorage(), [access(0, [0, 1], [0, 2])], np.array([3, 4, 5]), EB)
    assert made.step.tolist() == [3, 5]
    assert made.bytes.tolist() == [64, 64]
    assert made.runs["block"].tolist() == [0, 1]
