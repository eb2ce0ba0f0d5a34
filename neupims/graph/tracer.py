"""The tracer that an architecture is handed: all words, and the graph in the end."""

from neupims.errors import ModelError
from neupims.graph.graph import Graph
from neupims.graph.tracing.freeze import freeze, seen_from
from neupims.graph.verify import verify
from neupims.graph.vocabulary.choice import Choice
from neupims.graph.vocabulary.elementwise import Elementwise
from neupims.graph.vocabulary.latent import Latent
from neupims.graph.vocabulary.layers import Layers
from neupims.graph.vocabulary.mixers import Mixers
from neupims.graph.vocabulary.numeric import Numeric
from neupims.graph.vocabulary.sequence import Sequence
from neupims.graph.vocabulary.space import Space
from neupims.graph.vocabulary.structure import Structure
from neupims.graph.vocabulary.training import Training


class Tracer(Structure, Elementwise, Layers, Space, Latent, Mixers, Choice, Sequence, Numeric, Training):
    """Turns calls into operators; values know their shapes, and a wrong one is refused where it is made."""

    def finish(self, model: str) -> Graph:
        """The verified graph of all that was recorded; ModelError if a repeat was not left at its end."""
        repeat = self.region.repeat
        if repeat is not None:
            raise ModelError(f"{repeat.where}: repeat '{repeat.name}': the loop was left before its end")
        outputs = tuple(seen_from(value, self.root) for value in self.outputs)
        body = freeze(self.root, {})
        graph = Graph(
            body.items,
            body.weights,
            body.states,
            model=model,
            phase=self.sequences.phase,
            lengths=self.sequences.lengths,
            inputs=tuple(self.inputs),
            outputs=outputs,
            trained=body.trained,
        )
        verify(graph)
        return graph
