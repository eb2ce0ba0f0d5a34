"""A KV cache in blocks: who holds which, and what is left in the free ones of requests that lost theirs."""

from collections import OrderedDict

Content = tuple[int, int]
"""A request, and which of its blocks."""


class Pool:
    """Blocks of a paged KV cache. The block that has been free for longest is handed out first.

    A full block keeps its content until it is handed out again, so that a request that had to give its blocks back
    and runs again takes over what is left of them.
    """

    def __init__(self, blocks: int, block_tokens: int) -> None:
        self.block_tokens = block_tokens
        self._free: OrderedDict[int, None] = OrderedDict.fromkeys(range(blocks))
        self._held: dict[int, list[int]] = {}
        self._content: dict[int, Content] = {}
        self._where: dict[Content, int] = {}

    @property
    def free(self) -> int:
        """Blocks that nobody holds."""
        return len(self._free)

    def lacking(self, request: int, tokens: int) -> int:
        """Blocks that a request needs beyond its own to hold so many tokens."""
        return -(-tokens // self.block_tokens) - len(self._held.get(request, ()))

    def take(self, request: int, tokens: int) -> None:
        """Blocks for a request to hold so many tokens; there must be enough."""
        mine = self._held.setdefault(request, [])
        for _ in range(self.lacking(request, tokens)):
            block, _ = self._free.popitem(last=False)
            self._forget(block)
            mine.append(block)

    def fill(self, request: int, before: int, tokens: int) -> None:
        """`tokens` tokens are there now where `before` were; blocks that became full can be found again."""
        for index in range(before // self.block_tokens, tokens // self.block_tokens):
            block = self._held[request][index]
            self._content[block] = (request, index)
            self._where[request, index] = block

    def resume(self, request: int, tokens: int) -> int:
        """Take over what is left of a request of so many tokens; how many of them need not be computed again."""
        found: list[int] = []
        while (len(found) + 1) * self.block_tokens < tokens and (request, len(found)) in self._where:
            found.append(self._where[request, len(found)])
        for block in found:
            del self._free[block]
        self._held[request] = found
        return len(found) * self.block_tokens

    def release(self, request: int) -> None:
        """Give all blocks of a request back, the last one first."""
        self._free.update(OrderedDict.fromkeys(reversed(self._held.pop(request, []))))

    def _forget(self, block: int) -> None:
        content = self._content.pop(block, None)
        if content is not None and self._where.get(content) == block:
            del self._where[content]
