"""A decode iteration as operators of a roofline."""

import pytest

from neupims.errors import CapacityError
from neupims.graph import Graph, Model, load_model
from neupims.isa.work import LinkWork, RooflineWork
from neupims.lowering.decoder import read_decoder
from neupims.lowering.roofline import Chunk, Works, lower_roofline
from neupims.request import Batch, Request

LENGTHS = (40, 70, 600, 1)
BATCH: Batch = tuple(Request(index, length) for index, length in enumerate(LENGTHS))
PLENTY = 1 << 50
WIDTH, SIZE = 4096, 2
"""Of GPT3-7B in fp16."""


@pytest.fixture
def model() -> Model:
    return load_model("gpt3-7b")


@pytest.fixture
def step(model: Model) -> Graph:
    return model.decode(LENGTHS)


def lowered(step: Graph, *, tp: int = 1, pp: int = 1, head: bool = True, waiting: Batch = (), memory: int = PLENTY):
    shape = read_decoder(step)
    return lower_roofline(shape, BATCH, memory, waiting=waiting, tp=tp, pp=pp, head=head, all_reduce=True)


def kernels(works: Works) -> list[RooflineWork]:
    return [work for work in works if isinstance(work, RooflineWork)]


@pytest.mark.parametrize("tp", [1, 4, 32])
def test_devices_together_do_the_macs_of_the_graph(step: Graph, tp: int) -> None:
    stages, repeats = lowered(step, tp=tp)
    each = [sum(work.macs for work in kernels(works)) for _, works in stages]
    assert tp * sum(times * macs for times, macs in zip(repeats, each, strict=True)) == step.macs


def test_a_layer_reads_its_weights_and_its_cache_once(step: Graph) -> None:
    (_, layer), *rest = lowered(step, head=False)[0]
    (block,) = step.blocks
    assert rest == []
    weights = sum(w.bytes for w in block.weights if len(w.shape) == 2)
    activations = len(LENGTHS) * (WIDTH + WIDTH + WIDTH + 4 * WIDTH) * SIZE
    assert sum(work.bytes_read for work in kernels(layer) if work.kind == "gemm") == weights + activations
    (attention,) = (work for work in kernels(layer) if work.kind == "attention")
    assert attention.bytes_read == block.state_bytes + len(LENGTHS) * WIDTH * SIZE


def test_stages_stand_as_often_as_their_layers(step: Graph) -> None:
    stages, repeats = lowered(step, pp=4)
    assert ([name for name, _ in stages], repeats) == (["in", "layer", "out"], (1, 8, 1))


@pytest.mark.parametrize(("tp", "links"), [(1, 0), (4, 2)])
def test_an_all_reduce_follows_projection_and_ffn(step: Graph, tp: int, links: int) -> None:
    (_, layer), *_ = lowered(step, tp=tp, head=False)[0]
    reduces = [work for work in layer if isinstance(work, LinkWork)]
    assert [work.name for work in reduces] == ["layer0.attention.all_reduce", "layer0.ffn.all_reduce"][:links]
    assert {(work.bytes, work.devices) for work in reduces} <= {(len(LENGTHS) * WIDTH * SIZE, tp)}
    behind = [layer[layer.index(work) - 1].name for work in reduces]
    assert behind == ["layer0.attention.projection", "layer0.ffn.fc2"][:links]


def test_what_does_not_fit_is_refused_with_the_numbers(step: Graph) -> None:
    with pytest.raises(CapacityError) as error:
        lowered(step, memory=12 << 30)
    assert str(error.value) == (
        "memory: 4 requests do not fit: 12.4 GiB of weights and 0.3 GiB of KV cache make 12.7 GiB, and each device has "
        "12.0 GiB: lower --batch, or raise --tp or --pp"
    )


def test_requests_of_other_micro_batches_take_room(step: Graph) -> None:
    others = tuple(Request(10 + index, 2048) for index in range(4))
    assert lowered(step, memory=13 << 30) == lowered(step, waiting=others)
    with pytest.raises(CapacityError, match=r"^memory: 8 requests do not fit: 12\.4 GiB of weights and 4\.3 GiB of "):
        lowered(step, waiting=others, memory=13 << 30)


def llama(*, tp: int = 1, chunks: tuple[Chunk, ...] = (), batch: Batch = BATCH, memory: int = PLENTY):
    shape = read_decoder(load_model("llama-3.1-8b").decode(LENGTHS))
    return lower_roofline(shape, batch, memory, chunks=chunks, tp=tp, pp=1, head=True, all_reduce=True)


def by_name(stages: tuple[tuple[str, Works], ...]) -> dict[str, RooflineWork]:
    return {work.name: work for _, works in stages for work in kernels(works)}


@pytest.mark.parametrize("tp", [1, 8])
def test_llama_does_the_macs_of_its_graph(tp: int) -> None:
    stages, repeats = llama(tp=tp)
    each = [sum(work.macs for work in kernels(works)) for _, works in stages]
    macs = load_model("llama-3.1-8b").decode(LENGTHS).macs
    assert tp * sum(times * macs for times, macs in zip(repeats, each, strict=True)) == macs


def test_layers_of_one_input_are_one_kernel() -> None:
    stages, _ = llama()
    names = [work.name.removeprefix("layer0.") for work in kernels(stages[1][1])]
    assert names == [
        *("attention.norm", "attention.qkv", "attention.rotary", "attention", "attention.projection"),
        *("attention.residual", "ffn.norm", "ffn.gate_up", "ffn.swiglu", "ffn.down", "ffn.residual"),
    ]


def test_grouped_queries_read_fewer_keys_and_values() -> None:
    attention = by_name(llama()[0])["layer0.attention"]
    assert attention.bytes_read == (2 * 1024 * sum(LENGTHS) + len(LENGTHS) * WIDTH) * SIZE
    assert attention.bytes_written == (2 * 1024 + WIDTH) * len(LENGTHS) * SIZE
    assert attention.macs == 2 * WIDTH * sum(LENGTHS)


def test_prompts_and_requests_that_decode_read_the_weights_once() -> None:
    chunk, tokens = Chunk(new=500, length=800), len(LENGTHS)
    alone, together = by_name(llama()[0]), by_name(llama(chunks=(chunk,))[0])
    for name, inner in (("attention.qkv", WIDTH), ("ffn.gate_up", WIDTH), ("ffn.down", 14336)):
        small, large = alone[f"layer0.{name}"], together[f"layer0.{name}"]
        assert large.macs * tokens == small.macs * (tokens + chunk.new)
        assert large.bytes_read - small.bytes_read == chunk.new * inner * SIZE
    assert together["layer0.attention"] == alone["layer0.attention"]
    assert together["lm_head"].macs * tokens == alone["lm_head"].macs * (tokens + 1)


def test_a_prompt_in_chunks_scores_what_the_whole_prompt_does() -> None:
    whole, parts = Chunk(70, 70), (Chunk(30, 30), Chunk(1, 31), Chunk(39, 70))
    assert sum(part.pairs for part in parts) == whole.pairs == 70 * 71 // 2
    prompt = by_name(llama(chunks=(whole,), batch=())[0])["layer0.attention.prompts"]
    assert (prompt.kind, prompt.macs) == ("prompt_attention", 2 * WIDTH * whole.pairs)
    assert prompt.bytes_read == (2 * 1024 * 70 + 70 * WIDTH) * SIZE


def test_an_untied_head_takes_room() -> None:
    with pytest.raises(
        CapacityError, match=r"^memory: 5 requests do not fit: 15\.0 GiB of weights and 1\.1 GiB of KV "
    ):
        llama(memory=16 << 30, chunks=(Chunk(8192, 8192),))
