"""Long contexts in several channels."""

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from neupims.request import Part, Request
from neupims.scheduling.channels import pack_channels
from neupims.scheduling.split import Split


def identity(length: int) -> int:
    return length


def requests(*lengths: int) -> tuple[Request, ...]:
    return tuple(Request(index, length) for index, length in enumerate(lengths))


@pytest.mark.parametrize(
    ("length", "tokens"),
    [(512, (512,)), (513, (288, 225)), (1, (1,)), (2048, (512,) * 4), (1100, (384, 384, 332)), (545, (288, 257))],
)
def test_pieces_are_few_and_equal(length: int, tokens: tuple[int, ...]) -> None:
    assert Split(512, 32).tokens(length) == tokens


@examples(st.integers(1, 5000), st.integers(1, 700), st.integers(1, 64))
def test_pieces_are_the_context(length: int, above: int, multiple: int) -> None:
    tokens = Split(above, multiple).tokens(length)
    assert sum(tokens) == length
    assert min(tokens) > 0
    assert all(size % multiple == 0 for size in tokens[:-1])
    assert max(tokens) <= -(-above // multiple) * multiple
    assert (len(tokens) == 1) == (length <= max(tokens))


def test_a_long_request_takes_several_channels_and_goes_first() -> None:
    """The longest pieces go first: three of 128, then the 100, and so on, each to the emptiest channel."""
    batch = pack_channels("min_load", requests(60, 400, 100), 4, identity, split=Split(128, 32))
    long = Request(1, 400, 2, (Part(0, 144), Part(1, 128), Part(2, 128)))
    assert batch == (long, Request(0, 60, 3), Request(2, 100, 3))


def test_pieces_that_meet_in_a_channel_are_one_part() -> None:
    one = pack_channels("min_load", requests(400), 1, identity, split=Split(128, 32))
    assert one == (Request(0, 400, 0),)
    (two,) = pack_channels("round_robin", requests(400), 2, identity, split=Split(128, 32))
    assert two == Request(0, 400, 1, (Part(0, 256), Part(1, 144)))


def test_requests_with_a_channel_stay_whole() -> None:
    assert pack_channels("min_load", (Request(0, 400, 2),), 4, identity, split=Split(128, 32)) == (Request(0, 400, 2),)


@examples(st.lists(st.integers(1, 600), min_size=1, max_size=20), st.integers(1, 6), st.integers(32, 300))
def test_all_tokens_are_somewhere_once(lengths: list[int], channels: int, above: int) -> None:
    batch = pack_channels("min_load", requests(*lengths), channels, identity, split=Split(above, 32))
    assert sorted(request.id for request in batch) == list(range(len(lengths)))
    for request in batch:
        assert request.length == lengths[request.id]
        parts = request.parts or (Part(request.channel or 0, request.length),)
        assert sum(part.tokens for part in parts) == request.length
        assert len({part.channel for part in parts}) == len(parts)
        assert parts[-1].channel == request.channel
    split = [bool(request.parts) for request in batch]
    assert split == sorted(split, reverse=True)
