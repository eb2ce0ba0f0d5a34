"""What is computed: operators, tensors and repeated blocks, and the tracer that records architectures.

An architecture file imports `Config`, `Tracer`, `Value`, `architecture` and `variant` from here, and nothing else
of this package. Everyone else calls `load_model` or `list_models`.
"""

from neupims.graph.architecture import Architecture, Paper, architecture, variant
from neupims.graph.body import Block, Body, Port
from neupims.graph.config import Config
from neupims.graph.graph import Graph
from neupims.graph.model import Model
from neupims.graph.operator import Operator
from neupims.graph.registry import find_model, list_models, load_model
from neupims.graph.sequences import Phase
from neupims.graph.tensor import ELEMENT_BYTES, ElementType, Part, Role, Tensor
from neupims.graph.tracer import Tracer
from neupims.graph.tracing.regions import Value
from neupims.graph.training import training_step
from neupims.graph.verify import verify
from neupims.graph.vocabulary.choice import balanced_rows, skewed_rows
from neupims.graph.words import Theme, themes

__all__ = [
    "ELEMENT_BYTES",
    "Architecture",
    "Block",
    "Body",
    "Config",
    "ElementType",
    "Graph",
    "Model",
    "Operator",
    "Paper",
    "Part",
    "Phase",
    "Port",
    "Role",
    "Tensor",
    "Theme",
    "Tracer",
    "Value",
    "architecture",
    "balanced_rows",
    "find_model",
    "list_models",
    "load_model",
    "skewed_rows",
    "themes",
    "training_step",
    "variant",
    "verify",
]
