"""Choices of the compiler and the scheduler that belong to a system."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from neupims.hardware.base import Spec


class PolicySpec(Spec):
    """How work is laid out and ordered."""

    attention: Literal["pim", "stream", "chain"] = "stream"
    """Decode attention in the PIM banks; on the NPU, all arrays at a time; or there, one head after the other."""
    placement: Literal["auto", "npu", "pim"] | None = None
    """Where weights are multiplied with a few vectors: in the banks if that is estimated to be faster, never, or
    whenever it can be done there. None: never in decoders of the GPT-3 and Llama families, as in the paper, and `auto`
    in all other models."""
    channel_packing: Literal["min_load", "round_robin", "given"] = "round_robin"
    """How requests are assigned to channels; a file's own assignment always wins over it."""
    split_requests: PositiveInt | None = None
    """Tokens above which a context is cut into pieces that may get channels of their own; none leaves all whole."""
    sub_batches: Literal["alternating", "balanced"] = "alternating"
    sub_batch_count: Annotated[int, Field(ge=2)] = 2
    """Parts of a batch that take turns when it is interleaved; fewer if there are not as many requests."""
    stage_barriers: bool = True
    """Whether a stage begins when both programs of the one before have ended (NeuPIMs), or each operator group when the
    groups that it depends on have."""
    interleaving: Literal["on", "off", "auto"] = "off"
    """`auto` does not interleave below `interleaving_from` requests; from there on see `interleaving_auto`."""
    interleaving_from: PositiveInt = 256
    interleaving_auto: Literal["faster", "always"] = "faster"
    """From `interleaving_from` requests on, `auto` takes the faster of both modes, or always interleaves."""
    attention_order: Literal["request", "barrier", "head"] = "request"
    """Attend as soon as a request's softmax is there, or a head's, or after the logits of the whole sub-batch."""
    addresses: Literal["placed", "counter"] = "placed"
    """Weights, activations and KV at real addresses, or one running counter (published simulator)."""
    counter_span: Literal["share", "model"] = "share"
    """The counter starts anew after 10 E * E bytes, divided by the devices that share a layer or not."""
    counter_order: Literal["address", "hash"] = "address"
    """Bursts of an instruction by address, or as a hash table lists them (published simulator)."""
    stores: Literal["all", "published"] = "all"
    """Every result is written, or only those that the published simulator writes."""
    value_write: Literal["token", "none"] = "token"
    """Whether each new token's V goes to its PIM rows at once, one burst for each feature, or not at all."""
    estimate: Literal["paper", "timing"] = "paper"
    """Latency estimate that balances channels: the paper's constants, or ones from the timing parameters."""
    all_reduce: bool = True
    head: bool = True
    """Whether embedding, LM head and sampling are part of an iteration."""
