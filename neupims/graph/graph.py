"""The operator graph of one iteration over a batch of requests."""

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from neupims.graph.body import Body
from neupims.graph.export import Json, body_json, tensor_json
from neupims.graph.sequences import Phase
from neupims.graph.tensor import Tensor


@dataclass(frozen=True)
class Graph(Body):
    """What one iteration computes: operators and repeated blocks, from inputs to outputs."""

    model: str
    phase: Phase
    lengths: tuple[int, ...]
    """Context of each request in tokens, new ones included."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def to_json(self) -> Json:
        """A JSON-ready document; blocks stand in it once, with their count."""
        return {
            "model": self.model,
            "phase": self.phase,
            "lengths": list(self.lengths),
            "params": self.params,
            "macs": self.macs,
            "other_ops": self.other_ops,
            "state_bytes": self.state_bytes,
            "inputs": [tensor_json(tensor) for tensor in self.inputs],
            "outputs": [tensor.name for tensor in self.outputs],
            **body_json(self),
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the document in hexadecimal: the same for equal graphs, on any machine."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return sha256(text.encode()).hexdigest()
