"""The table of operator kinds: shapes, work and bytes of each."""

from neupims.graph.kinds.attention import ATTENTION
from neupims.graph.kinds.base import Kind
from neupims.graph.kinds.base import Product as Product
from neupims.graph.kinds.base import ShapeError as ShapeError
from neupims.graph.kinds.convolution import CONVOLUTION
from neupims.graph.kinds.dense import DENSE
from neupims.graph.kinds.lookup import LOOKUP
from neupims.graph.kinds.numeric import NUMERIC
from neupims.graph.kinds.sequence import SEQUENCE
from neupims.graph.kinds.training import TRAINING
from neupims.graph.kinds.vector import VECTOR
from neupims.graph.kinds.window import WINDOW

KINDS: dict[str, Kind] = {
    **DENSE,
    **CONVOLUTION,
    **ATTENTION,
    **VECTOR,
    **WINDOW,
    **LOOKUP,
    **SEQUENCE,
    **NUMERIC,
    **TRAINING,
}
