"""The table of operator kinds: shapes, work and bytes of each."""

from neupims.graph.kinds.attention import ATTENTION
from neupims.graph.kinds.base import Kind
from neupims.graph.kinds.base import ShapeError as ShapeError
from neupims.graph.kinds.dense import DENSE
from neupims.graph.kinds.lookup import LOOKUP
from neupims.graph.kinds.vector import VECTOR

KINDS: dict[str, Kind] = {**DENSE, **ATTENTION, **VECTOR, **LOOKUP}
