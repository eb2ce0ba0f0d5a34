"""Channels that stand for others: the same commands, completions and counters as if each had been run."""

import numpy as np
import pytest

from neupims.isa.memory import INSTRUCTION
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast import memory_arrays

CHANNELS = 4
LIMIT = 20_000


class Traffic:
    """The traffic of a drawn case for several channels, most of which get the same; PIM work goes to one of them."""

    def __init__(self, case, seed):
        self.rng = np.random.default_rng(seed)
        self.world = case.world.organization(channels=CHANNELS)
        self.cuts, self.blocks = case.cuts, len(case.parts)
        self.slices = [(self.runs(runs), self.instructions(instructions)) for runs, instructions in case.slices]
        self.parts = self.counted(case)

    def runs(self, runs):
        """The same runs for each channel, often with rows, columns and blocks of its own.

        Now and then one gets fewer, or in another order.
        """
        shares, renamed = [], self.rng.random() < 0.5
        for channel in range(CHANNELS):
            own = runs.copy()
            if renamed:
                own["row"] += self.rng.integers(0, 3) * 64
                own["column"] += self.rng.integers(0, 3)
                own["block"] = self.rng.permutation(self.blocks)[own["block"]]
            if self.rng.random() < 0.15:
                own = own[self.rng.permutation(len(own))[: self.rng.integers(0, len(own) + 1)]]
            own["channel"] = channel
            shares.append(own)
        return np.concatenate(shares)

    def instructions(self, instructions):
        own = instructions[: len(instructions) // 2].copy()
        own["channel"], own["gate"] = 1, -1
        return own

    def counted(self, case):
        """Parts of each block, as what is submitted has them; a block that nothing belongs to gets one."""
        parts = np.zeros(len(case.parts), np.int64)
        for runs, instructions in self.slices:
            np.add.at(parts, runs["block"], runs["bursts"])
            for instruction in instructions:
                if instruction["block"] >= 0 and instruction["kind"] == 1:
                    parts[instruction["block"] : instruction["block"] + instruction["groups"]] += 1
        return np.maximum(parts, 1)


def run(traffic, engine):
    memory = traffic.world.build(engine)
    memory.blocks(traffic.parts)
    answers = []
    for number, ((runs, instructions), cut) in enumerate(zip(traffic.slices, traffic.cuts, strict=True)):
        memory.submit(runs, number % 2)
        memory.submit_pim(instructions)
        answers.append(memory.advance(cut))
    while not memory.idle() and memory.now < LIMIT:
        answers.append(memory.advance(memory.now + 500))
    return memory, answers


def outcome(memory, answers):
    counters = memory.counters()
    told = [[part.tolist() for part in answer] for answer in answers]
    counts = [table.tolist() for table in (counters.commands, counters.pim_busy, counters.macs)]
    return told, memory.trace().tolist(), counts, memory.now


@pytest.fixture
def eager(monkeypatch):
    """Channels are compared all the time."""
    monkeypatch.setattr(memory_arrays, "JOIN_EVERY", 16)


@pytest.mark.parametrize("seed", range(30))
def test_one_channel_stands_for_others(draw, seed, eager):
    traffic = Traffic(draw(seed), seed)
    results = {engine: outcome(*run(traffic, engine)) for engine in ("fast", "plain", "reference")}
    assert results["fast"] == results["plain"]
    assert results["plain"] == results["reference"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 1100))
def test_one_channel_stands_for_others_in_many_more(draw, seed, eager):
    traffic = Traffic(draw(seed), seed)
    assert outcome(*run(traffic, "fast")) == outcome(*run(traffic, "plain"))


def streams(dram):
    """The same stream for every channel."""
    runs = np.concatenate([dram.sequential(512)] * CHANNELS)
    runs["channel"] = np.repeat(np.arange(CHANNELS), len(runs) // CHANNELS)
    return runs


def commands_of(memory, until):
    """Commands that were run and those of all channels, when the memory has come so far."""
    while memory.now < until:
        memory.advance(memory.now + 500)
    assert memory.idle()
    return np.array([memory.simulated(), memory.counters().commands.sum()])


@pytest.mark.parametrize(("engine", "share"), [("plain", 1), ("fast", CHANNELS)])
def test_alike_channels_are_run_once(dram, engine, share):
    memory = dram.world("npu-only").organization(channels=CHANNELS).build(engine)
    runs = streams(dram)
    memory.blocks(np.array([len(runs)]))
    memory.submit(runs, 0)
    run_once, total = commands_of(memory, 10_000)
    assert total == share * run_once


def scattered(dram, channel, seed, bursts=1000):
    """Single bursts in rows, columns and blocks of one channel's own."""
    runs = dram.sequential(bursts)
    rng = np.random.default_rng(seed)
    runs["bank"], runs["row"] = rng.integers(0, 16, bursts), rng.integers(0, 100, bursts) * (1 + channel)
    runs["column"] += channel
    runs["channel"], runs["bursts"], runs["write"] = channel, 1, rng.random(bursts) < 0.7
    runs["block"] = 2 * channel + (np.arange(bursts) >= bursts // 3)
    return runs


def disturb(dram, memory, runs, how):
    """Something that is the same for all channels, but not for those with other names, or that only one gets."""
    if how == "row":
        more = streams(dram)
        more["row"], more["block"] = runs["row"][7], 2 * CHANNELS
        memory.submit(more, 1)
    elif how == "channel":
        memory.submit(runs[3:4], 1)
    elif how == "pim":
        header = np.zeros(1, INSTRUCTION)
        header["channel"], header["row"], header["block"], header["gate"] = 2, 5, -1, -1
        memory.submit_pim(header)


NAMED = [(None, 300, 0.45), ("row", 300, 0.99), ("row", 2_000, 0.9), ("channel", 1_000, 0.9), ("pim", 700, 0.95)]


@pytest.mark.parametrize(
    ("system", "how", "when", "share"),
    [
        (system, *named)
        for system in ("npu-only", "npu-pim", "neupims", "neupims-authors")
        for named in NAMED[: 4 if system == "npu-only" else 5]
    ],
)
def test_channels_that_differ_by_names_are_run_once(dram, eager, system, how, when, share):
    """Until something comes for which the names matter."""
    runs = np.concatenate([scattered(dram, channel, when) for channel in range(CHANNELS)])
    results, run_once = [], 0
    for engine in ("fast", "plain"):
        memory = dram.world(system).organization(channels=CHANNELS).build(engine)
        memory.blocks(np.append(np.bincount(runs["block"]) + (np.arange(2 * CHANNELS) == 0), len(streams(dram))))
        memory.submit(runs, 0)
        told = [memory.advance(cut) for cut in (100, 200, when)]
        disturb(dram, memory, runs, how)
        while not memory.idle() and memory.now < LIMIT:
            told.append(memory.advance(memory.now + 500))
        results.append(outcome(memory, told))
        if engine == "fast":
            run_once = memory.simulated() / memory.counters().commands.sum()
    assert results[0] == results[1]
    assert run_once < share


def test_channels_that_get_their_names_back_count_as_if_they_had_never_lost_them(dram, eager):
    """The tables by which the engine knows that there is nothing to compare."""
    runs = np.concatenate([scattered(dram, channel, 5) for channel in range(CHANNELS)])
    runs["feeds_pim"] = runs["write"]
    tallies = []
    for engine in ("fast", "plain"):
        memory = dram.world("neupims").organization(channels=CHANNELS).build(engine)
        memory.blocks(np.bincount(runs["block"]) + 1)
        memory.submit(runs, 0)
        for cut in (100, 200, 700):
            memory.advance(cut)
        assert bool(memory._namesakes) == (engine == "fast")
        disturb(dram, memory, runs, "channel")
        k, x = memory._k, memory._channels
        sizes = {
            at.O_OPEN_ROWS: at.OPEN_ROWS,
            at.O_WANTED: at.WANTED,
            at.O_FILTER: at.FILTER,
            at.O_FED_ROWS: at.FED_ROWS,
        }
        tallies.append([x[:, k[place] : k[place] + size] for place, size in sizes.items()])
    for own, expected in zip(*tallies, strict=True):
        assert expected.any()
        assert np.array_equal(own, expected)


def test_classes_join_again(dram, eager):
    """A channel that was given one burst more is alone until that has been forgotten."""
    memory = dram.world("npu-only").organization(channels=CHANNELS).build("fast")
    runs, extra = streams(dram), streams(dram)[:1]
    extra["row"], extra["bank"] = 99, 5
    memory.blocks(np.array([len(runs) + 1, len(runs)]))
    memory.submit(np.concatenate([extra, runs]), 0)
    apart = commands_of(memory, 30_000)
    runs["block"] = 1
    memory.submit(runs, 0)
    together = commands_of(memory, 60_000) - apart
    assert CHANNELS * apart[0] > apart[1]
    assert CHANNELS * together[0] == together[1]


def answers_to(memory, runs, arrays):
    """What a memory does with reads that come in several arrays."""
    memory.blocks(np.array([len(runs)]))
    for number, part in enumerate(np.array_split(runs, arrays), 1):
        memory.submit(part, 0, 0, arrays - number)
    return *map(np.ndarray.tolist, memory.advance(20_000)), memory.trace().tolist()


@pytest.mark.parametrize("engine", ["reference", "plain", "fast"])
def test_runs_in_several_arrays_are_as_in_one(dram, engine):
    world, runs = dram.world("npu-only"), dram.sequential(2500)  # more than a queue has places for at first
    assert answers_to(world.build(engine), runs, 9) == answers_to(world.build(engine), runs, 1)


def test_a_queue_is_lengthened_once_for_what_is_to_follow(dram, monkeypatch):
    lengthened, lengthen = [], memory_arrays.FastMemory._lengthen
    monkeypatch.setattr(memory_arrays.FastMemory, "_lengthen", lambda *given: lengthened.append(lengthen(*given)))
    answers_to(dram.world("npu-only").build("plain"), dram.sequential(20_000), 40)
    assert len(lengthened) == 1
