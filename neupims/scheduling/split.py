"""Cutting the contexts of long requests, so that several channels share one request's attention."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from neupims.request import Part, Request


@dataclass(frozen=True, slots=True)
class Split:
    """Which requests are cut, and how."""

    above: int
    """Longest context that stays whole, and longest piece."""
    multiple: int
    """Tokens of a piece are a multiple of this, but for the last one: whole tiles of keys."""

    def tokens(self, length: int) -> tuple[int, ...]:
        """Tokens of each piece of a context: as few pieces as may be, as equal as may be."""
        pieces = -(-length // self.above)
        size = -(-length // (pieces * self.multiple)) * self.multiple
        return (*(size,) * ((length - 1) // size), (length - 1) % size + 1)


def pieces_of(requests: Sequence[Request], split: Split | None) -> list[tuple[int, Request]]:
    """Each piece as a request of its own, with the index of the one that it belongs to."""
    return [
        (index, replace(request, length=tokens))
        for index, request in enumerate(requests)
        for tokens in (split.tokens(request.length) if split else (request.length,))
    ]


def joined(request: Request, pieces: Sequence[Request]) -> Request:
    """The request whose pieces have got channels; pieces in the same one are one part."""
    tokens: dict[int, int] = {}
    for piece in pieces:
        assert piece.channel is not None
        tokens[piece.channel] = tokens.get(piece.channel, 0) + piece.length
    *_, last = tokens
    parts = tuple(Part(channel, count) for channel, count in tokens.items()) if len(tokens) > 1 else ()
    return replace(request, channel=last, parts=parts)
