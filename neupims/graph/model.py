"""A model: an architecture with its numbers chosen, and the graphs of its iterations."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

from neupims.errors import ModelError
from neupims.graph.architecture import Architecture, Paper
from neupims.graph.config import Config
from neupims.graph.graph import Graph
from neupims.graph.sequences import PHASES, Phase
from neupims.graph.tracer import Tracer
from neupims.graph.tracing.location import raised_in
from neupims.graph.training import training_step
from neupims.graph.training.settings import Loss, Optimizer


@dataclass(frozen=True)
class Model:
    """One variant of an architecture, with the options of the user."""

    architecture: Architecture
    variant: str | None
    config: Config

    @property
    def name(self) -> str:
        """Architecture and variant, as in `gpt3-30b`."""
        return full_name(self.architecture, self.variant)

    @property
    def family(self) -> str:
        """Folder of the architecture, such as `language`."""
        return self.architecture.family

    @property
    def paper(self) -> Paper:
        """Where the architecture was published."""
        return self.architecture.paper

    @property
    def params(self) -> int:
        """Trainable parameters, biases included, counted from the shapes of the weights."""
        return self.smallest.params

    @property
    def layers(self) -> int:
        """Repetitions of the outermost blocks."""
        return sum(block.count for block in self.smallest.blocks)

    @property
    def passes(self) -> Phase:
        """What is simulated unless something else is asked for."""
        return self.architecture.passes

    @cached_property
    def smallest(self) -> Graph:
        """What is simulated unless something else is asked for, over one request of one token. ModelError as below."""
        return self.trace((1,))

    def decode(self, lengths: Iterable[int]) -> Graph:
        """One new token for each request, whose context, the new token included, has `lengths[i]` tokens.

        ModelError for lengths or shapes that do not fit, with the file and line in the architecture.
        """
        return self.trace(lengths, "decode")

    def prefill(self, lengths: Iterable[int]) -> Graph:
        """All tokens of each prompt of `lengths[i]` tokens. ModelError as in `decode`."""
        return self.trace(lengths, "prefill")

    def trace(self, lengths: Iterable[int], phase: Phase | None = None) -> Graph:
        """The graph of a phase, that of the architecture if None, over requests of `lengths[i]` tokens.

        `training` is the step of `training` with nothing else said.

        A model that is not made of tokens has one sample for each request, whatever its length. ModelError as in
        `decode`, and for a phase that the model has not.
        """
        wanted = phase or self.passes
        if wanted == "training":
            return self.training(lengths)
        if (wanted == "forward") != (self.passes == "forward"):
            has = "forward and training" if self.passes == "forward" else "decode, prefill and training"
            raise ModelError(f"{self.name}: it has no {wanted}; it has {has}")
        return self._traced(lengths, wanted)

    def training(
        self,
        lengths: Iterable[int],
        trainable: Collection[str] | None = None,
        *,
        optimizer: Optimizer = "adamw",
        loss: Loss = "cross_entropy",
        recompute: bool = False,
    ) -> Graph:
        """A training step over sequences of `lengths[i]` tokens, or one sample of each request: `training_step`.

        All tokens are predicted, and nothing is cached. ModelError as in `decode` and in `training_step`.
        """
        forward = self._traced(lengths, "training")
        return training_step(forward, trainable, optimizer=optimizer, loss=loss, recompute=recompute)

    def _traced(self, lengths: Iterable[int], phase: Phase) -> Graph:
        net = Tracer(PHASES[phase](lengths))
        try:
            self.architecture.describe(net, self.config)
        except ModelError:
            raise
        except Exception as error:
            where = raised_in(self.architecture.file, error.__traceback__)
            raise ModelError(f"{where}: {self.name}: {type(error).__name__}: {error}") from error
        return net.finish(self.name)


def full_name(architecture: Architecture, variant: str | None) -> str:
    """Architecture and variant in one word."""
    return architecture.name if variant is None else f"{architecture.name}-{variant}"
