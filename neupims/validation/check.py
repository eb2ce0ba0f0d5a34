"""One comparison of a number of ours with one from elsewhere, and the cases that make them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Check:
    """A number of ours beside theirs."""

    name: str
    """Unique, dotted, from the general to the particular: `dram.read.idle-latency`."""
    against: str
    """Where their number comes from."""
    ours: float
    theirs: float
    unit: str
    tolerance: float
    """Largest error that passes, as a fraction of theirs; 0 asks for the same number."""
    note: str = ""
    """Why the two differ, where they do and it is known."""

    @property
    def error(self) -> float:
        """(ours - theirs) / theirs; ours itself where theirs is 0."""
        return (self.ours - self.theirs) / self.theirs if self.theirs else self.ours

    @property
    def ok(self) -> bool:
        """Whether the error is within the tolerance."""
        return abs(self.error) <= self.tolerance

    def to_json(self) -> dict[str, object]:
        """The check as plain data."""
        return {
            "name": self.name,
            "against": self.against,
            "ours": self.ours,
            "theirs": self.theirs,
            "unit": self.unit,
            "error": self.error,
            "tolerance": self.tolerance,
            "ok": self.ok,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class References:
    """Where files of others lie that are not shipped."""

    folder: Path | None = None
    """Searched for files by their name, with its subfolders; None where the user named no folder."""

    def find(self, name: str) -> Path | None:
        """The first file of this name in the folder or below, or None."""
        if self.folder is None:
            return None
        return next(iter(sorted(self.folder.rglob(name))), None)


@dataclass(frozen=True, slots=True)
class Case:
    """Something to run that gives checks."""

    name: str
    """What the names of all its checks begin with."""
    section: str
    """Heading on the validation page."""
    measure: Callable[[References], Iterable[Check]]
    needs: tuple[str, ...] = ()
    """Names of the files of others without which it cannot run."""
    source: str = ""
    """Where those files can be had."""
    slow: bool = False
    """Takes more than about ten seconds."""
