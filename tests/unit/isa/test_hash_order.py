"""The order of a hash table, against a table filled one entry at a time, growing as it fills."""

import numpy as np
import pytest

from neupims.errors import ModelError
from neupims.isa.address import AddressMap
from neupims.isa.hash_order import HashOrder

MASK = (1 << 64) - 1


def mixed(address):
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        address ^= address >> 33
        address = address * factor & MASK
    return address ^ (address >> 33)


class Growing:
    """Robin-hood hashing: places in a list of (info, address), doubled when 80 % are taken."""

    def __init__(self):
        self.clear(8)

    def clear(self, places):
        self.size, self.step, self.dropped, self.far = places, 32, 0, False
        self.places = [(0, 0)] * (2 * places + 300)

    @property
    def listed(self):
        return [address for info, address in self.places if info]

    def add(self, address):
        if len(self.listed) >= self.size * 8 // 10:
            old = self.listed
            self.clear(2 * self.size)
            for other in old:
                self.put(other)
        self.put(address)

    def put(self, address):
        if self.far:
            self.places = [(info >> 1, other) for info, other in self.places]
            self.step, self.dropped, self.far = self.step // 2, self.dropped + 1, False
        value = mixed(address)
        place, info = (value >> 5) % self.size, self.step + ((value & 31) >> self.dropped)
        while self.places[place][0] >= info:
            place, info = place + 1, info + self.step
        entry = (info, address)
        while True:
            self.far |= entry[0] + self.step > 255
            entry, self.places[place] = self.places[place], entry
            if not entry[0]:
                return
            place, entry = place + 1, (entry[0] + self.step, entry[1])


ADDRESS = AddressMap((("row", 4096), ("rank", 2), ("group", 4), ("bank", 4), ("column", 16), ("channel", 32)), 64)
ENDLESS = 1 << 40


def line(burst):
    """Byte address of a burst as the published simulator numbers them: 16 columns of each of 32 channels."""
    return (burst // 512 * 512 + burst % 32 * 16 + burst // 32 % 16) * 64


def listed(bursts):
    """Places of bursts in the order in which a table lists them."""
    table, burst_at = Growing(), {line(burst): burst for burst in bursts}
    for address in burst_at:
        table.add(address)
    return [place(burst_at[address]) for address in table.listed]


def place(burst):
    parts = {name: int(value) for name, value in ADDRESS.split(np.array(burst * 64)).items()}
    return parts["channel"], (parts["rank"] * 4 + parts["group"]) * 4 + parts["bank"], parts["row"], parts["column"]


def runs(start, sizes, wrap=ENDLESS):
    size = np.array(sizes, np.int64)
    return HashOrder(ADDRESS, wrap).runs(start + np.cumsum(size) - size, size, np.arange(len(sizes)) + 7, False)


def places(runs):
    assert (runs["bursts"] == 1).all()
    return list(zip(*(runs[name].tolist() for name in ("channel", "bank", "row", "column")), strict=True))


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 9, 33, 66, 129, 257, 513, 2049, 5000])
@pytest.mark.parametrize("first", [0, 4096, 131_071, 600_001])
def test_an_instruction_is_listed_as_the_table_does(first, count):
    assert places(runs(first * 64, [count * 64])) == listed(range(first, first + count))


def test_instructions_have_tables_of_their_own_and_share_the_bursts_at_their_borders():
    both = runs(64 * 7 + 2, [64 * 40, 64 * 30])
    assert both["block"].tolist() == [7] * 41 + [8] * 31
    assert places(both) == listed(range(7, 48)) + listed(range(47, 78))


def test_bytes_begin_anew():
    assert places(runs(64 * 30 + 2, [64 * 8], wrap=64 * 32)) == listed([30, 31, *range(7)])
    assert places(runs(64 * 34, [64 * 2], wrap=64 * 32)) == listed([2, 3])


def test_nothing_is_in_order():
    assert len(runs(0, [])) == 0
    assert len(runs(0, [0])) == 0


def test_many_instructions_are_listed_as_the_table_does():
    """Of some hundred bursts each: in some of their tables an entry is far from its place, in most none is."""
    rng = np.random.default_rng(0)
    firsts, counts = rng.integers(0, 1 << 22, 60).tolist(), rng.integers(100, 700, 60).tolist()
    for first, count in zip(firsts, counts, strict=True):
        assert places(runs(first * 64, [count * 64])) == listed(range(first, first + count))


def test_an_instruction_goes_over_the_same_bytes_again_and_again():
    laps = runs(0, [64 * 32 * 20], wrap=64 * 32)
    assert sorted(places(laps)) == sorted([place(burst) for burst in range(32)] * 20)


@pytest.mark.parametrize("laps", [300, 5000])
def test_a_table_that_overflows_with_equal_addresses_is_an_error(laps):
    with pytest.raises(ModelError, match=f"up to {64 * 32 * laps:,} bytes .* 2,048 bytes .*counter_order=address"):
        runs(0, [64 * 32 * laps], wrap=64 * 32)
