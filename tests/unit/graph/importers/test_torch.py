"""Torch modules through torch.export: parameters and products as torch counts them, blocks, and sentences."""

from collections.abc import Callable
from pathlib import Path

import pytest

from neupims.errors import ModelError
from neupims.graph import Graph, load_model

WHY = "exports torch modules, which needs the package torch (pip install 'neupims[torch]')"
torch = pytest.importorskip("torch", reason=WHY)

pytestmark = pytest.mark.filterwarnings("ignore")

FACTORIES = '''
import torch
from torch import nn
from torch.nn import functional as f


class Layer(nn.Module):
    """Attention of grouped heads with a mask, and a gated network."""

    def __init__(self, width=16, heads=4, shared=2):
        super().__init__()
        self.heads, self.shared, self.size = heads, shared, width // heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, (heads + 2 * shared) * self.size, bias=False)
        self.out = nn.Linear(width, width)
        self.gate, self.up, self.down = nn.Linear(width, 24), nn.Linear(width, 24), nn.Linear(24, width)

    def forward(self, x, mask):
        n, t, width = x.shape
        sizes = [self.heads * self.size, self.shared * self.size, self.shared * self.size]
        q, k, v = (part.view(n, t, -1, self.size).transpose(1, 2) for part in self.qkv(self.norm(x)).split(sizes, -1))
        mixed = f.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, t, width))
        return x + self.down(f.silu(self.gate(x)) * self.up(x))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 16)
        self.layers = nn.ModuleList([Layer() for _ in range(5)])
        self.head = nn.Linear(16, 50, bias=False)
        self.head.weight = self.table.weight
        self.register_buffer("mask", torch.zeros(8, 8))

    def forward(self, tokens):
        t = tokens.shape[1]
        x, mask = self.table(tokens), self.mask[:t, :t] * 2
        for layer in self.layers:
            x = layer(x, mask)
        return self.head(x)


class Pictures(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8)
        self.blocks = nn.ModuleList([nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.ReLU6()) for _ in range(3)])
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        x = f.max_pool2d(torch.relu(self.norm(self.stem(x))), 2)
        for block in self.blocks:
            x = x + block(x)
        return self.head(f.adaptive_avg_pool2d(x, 1).flatten(1))


class Odd(nn.Module):
    def forward(self, x):
        return torch.linalg.det(x)


def decoder():
    return Decoder(), (torch.zeros(2, 6, dtype=torch.long),)


def pictures():
    return Pictures(), (torch.zeros(2, 3, 32, 32),)


def odd():
    return Odd(), (torch.zeros(3, 3),)


def alone():
    return Odd()


def broken():
    raise RuntimeError("no")
'''


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Names of factories in a file of the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(FACTORIES, encoding="utf-8")
    return lambda factory: f"nets.py:{factory}"


def test_a_decoder_with_shared_heads_tied_weights_and_a_mask(nets: Callable[[str], str]) -> None:
    model = load_model(nets("decoder"))
    graph = model.trace((1, 1))
    linear = 16 * (32 + 16 + 3 * 24)
    assert (model.name, model.passes) == ("decoder", "forward")
    assert graph.params == 50 * 16 + 5 * (2 * 16 + linear + 16 + 2 * 24 + 16)
    assert graph.macs == 5 * (12 * linear + 2 * 2 * 4 * 6 * 6 * 4) + 12 * 16 * 50
    (block,) = graph.blocks
    assert (block.name, block.count) == ("layers", 5)
    assert [op.name for op in block.operators][:3] == ["norm.layer_norm", "qkv.linear", "matmul"]
    assert graph.weights[-1].role == "constant"


def test_pictures(nets: Callable[[str], str]) -> None:
    graph = load_model(nets("pictures")).trace((1,))
    assert graph.params == 8 * 27 + 8 + 2 * 8 + 3 * (8 * 9 + 8) + 90
    assert graph.macs == 2 * (16 * 16 * 8 * 27 + 3 * 8 * 8 * 8 * 9 + 8 * 10)
    assert [(block.name, block.count) for block in graph.blocks] == [("blocks", 3)]
    assert outputs(graph) == [(2, 10)]


def outputs(graph: Graph) -> list[tuple[int, ...]]:
    return [tensor.shape for tensor in graph.outputs]


@pytest.mark.parametrize(
    ("factory", "problem"),
    [
        ("absent", "nets.py has no 'absent'"),
        ("alone", "the factory must return a module and a tuple of example inputs"),
        ("broken", "the factory failed: RuntimeError: no"),
    ],
)
def test_a_factory_that_is_none(factory: str, problem: str, nets: Callable[[str], str]) -> None:
    with pytest.raises(ModelError) as error:
        load_model(nets(factory))
    assert str(error.value) == f"nets.py:{factory}: {problem}"


def test_an_operator_that_is_not_known(nets: Callable[[str], str]) -> None:
    with pytest.raises(ModelError, match=r"^nets\.py:odd: aten\.linalg_det\.default '\w+': this operator is not known"):
        load_model(nets("odd")).trace((1,))


def test_samples_are_those_of_the_example(nets: Callable[[str], str]) -> None:
    with pytest.raises(ModelError, match=r"the example holds 2 samples, not 3; make another example$"):
        load_model(nets("pictures")).trace((1, 1, 1))


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(ModelError, match=r"^no_such_module:f: no_such_module cannot be imported: ModuleNotFoundError"):
        load_model("no_such_module:f")
