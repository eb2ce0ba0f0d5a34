"""The order of a hash table, against a table filled one entry at a time, growing as it fills."""

import numpy as np
import pytest

from neupims.isa.hash_order import hash_order

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


def lines(first, count):
    """Byte addresses of bursts as the published simulator numbers them: 16 columns of each of 32 channels."""
    line = np.arange(first, first + count)
    return (line // 512 * 512 + line % 32 * 16 + line // 32 % 16) * 64


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 9, 33, 66, 129, 257, 513, 2049, 5000])
@pytest.mark.parametrize("first", [0, 4096, 131_071, 600_001])
def test_an_instruction_is_listed_as_the_table_does(first, count):
    addresses, table = lines(first, count), Growing()
    for address in addresses.tolist():
        table.add(address)
    assert addresses[hash_order(addresses, np.zeros(count, np.int64))].tolist() == table.listed


def test_tables_stay_apart():
    addresses = np.concatenate([lines(0, 40), lines(7, 40)])
    order = hash_order(addresses, np.repeat([0, 1], 40))
    assert sorted(order[:40].tolist()) == list(range(40))
    assert order[:40].tolist() == hash_order(addresses[:40], np.zeros(40, np.int64)).tolist()


def test_nothing_is_in_order():
    assert hash_order(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []
