"""Small architectures, traced or written to files."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from neupims.graph import Graph, Tracer, Value
from neupims.graph.sequences import decode_step, prompts

ARCHITECTURE = '''
from typing import Literal

from neupims.graph import Config, Tracer, architecture, variant


class Tiny(Config):
    layers: int = 2
    width: int = 8
    dropout: float = 0.1
    gated: bool = False
    sizes: tuple[int, ...] = (1, 2)
    mixer: str = "pool"
    routing: Literal["balanced", "skewed"] = "balanced"


@architecture("NAME", paper="A Title, arXiv:1234.56789", family="tests")
VARIANTS
def tiny(net: Tracer, cfg: Tiny) -> None:
    """A stack of linear layers."""
    x = net.embedding(net.tokens(), net.weight(16, cfg.width, name="table"))
    for _ in net.repeat(cfg.layers, "layer"):
        x = x + net.linear(x, WIDTH)
    net.output(x)
'''


@pytest.fixture
def trace() -> Callable[..., Graph]:
    """Trace `describe(net, x)` over embedded tokens x [tokens, 8]; what it returns is the output."""

    def traced(
        describe: Callable[[Tracer, Value], Value], lengths: Iterable[int] = (3,), prefill: bool = False
    ) -> Graph:
        net = Tracer((prompts if prefill else decode_step)(lengths))
        x = net.embedding(net.tokens(), net.weight(16, 8, name="table"), name="embedding")
        net.output(describe(net, x))
        return net.finish("tiny")

    return traced


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder with one architecture file, from a template."""

    def written(name: str = "tiny", variants: str = "", width: str = "cfg.width", file: str = "tiny.py") -> Path:
        text = ARCHITECTURE.replace("NAME", name).replace("VARIANTS\n", variants).replace("WIDTH", width)
        (tmp_path / file).write_text(text, encoding="utf-8")
        return tmp_path

    return written
