"""Parts of a run in time: stages and operators."""

from dataclasses import dataclass
from typing import Any, Self

from neupims.results.fields import Fields, to_ns


@dataclass(frozen=True, slots=True)
class Utilization:
    """Shares of 0 to 1 of what each resource could have done in the time."""

    npu: float
    """MACs done, over the peak of the arrays (or of the GPU)."""
    pim: float
    """MACs done, over the peak of the PIM units; 0 where there are none."""
    bandwidth: float
    """Bytes on the external data buses, over their peak."""

    def to_json(self) -> dict[str, Any]:
        """As an object of three numbers."""
        return {"npu": self.npu, "pim": self.pim, "bandwidth": self.bandwidth}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """From an object of three numbers."""
        return cls(fields.number("npu"), fields.number("pim"), fields.number("bandwidth"))


@dataclass(frozen=True, slots=True)
class StageSpan:
    """A simulated stage; the iteration contains it `repeats` times."""

    name: str
    start_ps: int
    end_ps: int
    repeats: int = 1
    utilization: Utilization | None = None

    def to_json(self) -> dict[str, Any]:
        """As the run record has it, in ns."""
        start, end = to_ns(self.start_ps), to_ns(self.end_ps)
        record: dict[str, Any] = {"name": self.name, "start_ns": start, "end_ns": end, "repeats": self.repeats}
        if self.utilization is not None:
            record["utilization"] = self.utilization.to_json()
        return record

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """From the run record."""
        shares = Utilization.read(fields.section("utilization")) if "utilization" in fields.values else None
        start, end = fields.picoseconds("start_ns"), fields.picoseconds("end_ns")
        return cls(fields.text("name"), start, end, fields.integer("repeats", 1), shares)


@dataclass(frozen=True, slots=True)
class OperatorSpan:
    """One operator as simulated, from its first activity to its last."""

    name: str
    unit: str
    """array, vector, pim, link or gpu; `npu` stands for array."""
    start_ps: int
    end_ps: int
    macs: int
    bytes_read: int
    bytes_written: int
    """Through the memory interface; of a link, bytes sent to peers."""
    kind: str = ""
    """What is computed, such as gemm or layer_norm."""
    busy_ps: int | None = None
    """Time in which the unit had a step of it (vector: summed over the units)."""

    def to_json(self) -> dict[str, Any]:
        """As the run record has it, in ns."""
        busy = {} if self.busy_ps is None else {"busy_ns": to_ns(self.busy_ps)}
        return {
            "name": self.name,
            "kind": self.kind,
            "unit": self.unit,
            "start_ns": to_ns(self.start_ps),
            "end_ns": to_ns(self.end_ps),
            "macs": self.macs,
            "bytes_read": self.bytes_read,
            "bytes_written": self.bytes_written,
            **busy,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """From the run record."""
        times = fields.picoseconds("start_ns"), fields.picoseconds("end_ns")
        sizes = fields.integer("macs"), fields.integer("bytes_read"), fields.integer("bytes_written")
        busy = fields.picoseconds("busy_ns") if "busy_ns" in fields.values else None
        return cls(fields.text("name"), fields.text("unit"), *times, *sizes, fields.optional_text("kind") or "", busy)
