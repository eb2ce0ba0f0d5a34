"""When a command may issue at the earliest: the rule table at work, readable.

This is the reference for the compiled engine. Times are cycles; a channel starts with all gates open.
"""

from collections import defaultdict, deque

from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.machine.dram.rules import Rule, cycles_of, rules_of
from neupims.machine.dram.timing import Timing, build_timing

Place = tuple[str, int]
"""A scope and which of its kind: ("group", 5)."""

ALL: Place = ("channel", 0)


class Geometry:
    """Which group and rank a bank is in, and which banks they hold."""

    def __init__(self, memory: MemorySpec) -> None:
        org = memory.organization
        self.ranks = org.ranks
        self.banks = org.banks
        self.per = {"bank": 1, "group": org.banks_per_group, "channel": org.banks}
        self.per["rank"] = org.bank_groups * org.banks_per_group
        counts = {scope: org.banks // size for scope, size in self.per.items()}
        places = [(scope, i) for scope, count in counts.items() for i in range(count)]
        self.members = {place: self._members(place) for place in places}
        self.touching = {place: self._touching(place) for place in places}

    def around(self, scope: str, bank: int) -> Place:
        """The group, rank ... that `bank` is in."""
        return scope, bank // self.per[scope]

    def _members(self, place: Place) -> range:
        size = self.per[place[0]]
        return range(place[1] * size, (place[1] + 1) * size)

    def _touching(self, place: Place) -> list[Place]:
        scopes = ("channel", "rank", "group")
        return sorted({self.around(scope, bank) for scope in scopes for bank in self._members(place)})


class Gates:
    """Earliest cycles of all commands in one channel, kept up to date command by command."""

    def __init__(self, memory: MemorySpec, pim: PimSpec | None) -> None:
        self.t: Timing = build_timing(memory, pim)
        self.geometry = Geometry(memory)
        self.rules: dict[Command, list[Rule]] = defaultdict(list)
        for rule in rules_of(memory, pim):
            self.rules[rule.before].append(rule)
        self.opens: dict[tuple[Place, Command], int] = {}
        self.blackout: dict[Command, tuple[int, int]] = {}
        self.activations = [deque[int](maxlen=4) for _ in range(self.geometry.ranks)]
        self.weight = {Command.ACT: 1}
        if pim is not None and pim.activation_window == "shared":
            self.weight[Command.PIM_ACT] = 4
        self.first_bank_counts = pim is not None and pim.row_timing == "published"

    def record(self, command: Command, bank: int, cycle: int, n: int = 0) -> None:
        """`command` has issued at `cycle`; `bank` is its first bank."""
        for rule in self.rules[command]:
            gate = cycle + cycles_of(rule.gap, self.t, n)
            if rule.until is not None:
                self._keep_out(rule.after, cycle, gate, cycle + cycles_of(rule.until, self.t, n))
                continue
            for place in self._places(rule, bank):
                self.opens[place, rule.after] = max(self.opens.get((place, rule.after), 0), gate)
        for _ in range(self.weight.get(command, 0)):
            self.activations[self.geometry.around("rank", bank)[1]].append(cycle)

    def _keep_out(self, command: Command, cycle: int, start: int, end: int) -> None:
        """Keep `command` out of [start, end]; what is left of the present such span becomes a gate."""
        old_start, old_end = self.blackout.get(command, (1, 0))
        if old_start <= cycle <= old_end:
            place = (ALL, command)
            self.opens[place] = max(self.opens.get(place, 0), old_end + 1)
        self.blackout[command] = (start, end)

    def _places(self, rule: Rule, bank: int) -> list[Place]:
        rank = self.geometry.around("rank", bank)
        if rule.scope == "other_ranks":
            return [("rank", r) for r in range(self.geometry.ranks) if ("rank", r) != rank]
        return [self.geometry.around(rule.scope, bank)]

    def earliest(self, command: Command, place: Place, banks: list[int] | None = None) -> int:
        """Earliest cycle of `command` at `place`: a bank, a group, a rank or the channel.

        Every bank there must be ready, or those of `banks` only. Published simulator: one ready bank
        is enough for a PIM_ACT (`row_timing`).
        """
        wide = [self.opens.get((where, command), 0) for where in self.geometry.touching[place]]
        members = self.geometry.members[place] if banks is None else banks
        narrow = [self.opens.get((("bank", b), command), 0) for b in members]
        lenient = self.first_bank_counts and command is Command.PIM_ACT
        return max(*wide, min(narrow) if lenient else max(narrow), self._window(command, place))

    def ready(self, command: Command, place: Place, cycle: int, banks: list[int] | None = None) -> bool:
        """Whether `command` may issue at `cycle`."""
        start, end = self.blackout.get(command, (1, 0))
        return cycle >= self.earliest(command, place, banks) and not start <= cycle <= end

    def _window(self, command: Command, place: Place) -> int:
        """tFAW: at most four activations of a rank in a window of that length."""
        weight = self.weight.get(command, 0)
        if weight == 0:
            return 0
        recent = self.activations[self.geometry.around("rank", self.geometry.members[place][0])[1]]
        return recent[len(recent) + weight - 5] + self.t["tFAW"] if len(recent) >= 5 - weight else 0
