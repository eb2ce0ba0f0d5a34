"""Options that several commands share. A dataclass lists them; a decorator makes them parameters."""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from neupims.request import DEFAULT_BATCH, DEFAULT_MODEL, DEFAULT_SAMPLES, JobSpec


class Interleaving(StrEnum):
    """Whether two sub-batches take turns on NPU and PIM."""

    ON = "on"
    OFF = "off"
    AUTO = "auto"


class Phase(StrEnum):
    """Which pass of a model."""

    DECODE = "decode"
    PREFILL = "prefill"
    FORWARD = "forward"
    TRAINING = "training"


class Engine(StrEnum):
    """What times the commands of a memory; the results are the same."""

    FAST = "fast"
    PLAIN = "plain"
    REFERENCE = "reference"


class Dataset(StrEnum):
    """Where lengths of requests are drawn from."""

    SHAREGPT = "sharegpt"
    ALPACA = "alpaca"


SystemName = Annotated[str, typer.Argument(metavar="SYSTEM", help="Name of a system, or the path of its YAML file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the hardware, e.g. memory.channels=16."),
]
ModelName = Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Architecture, or config.json.")]
Variant = Annotated[str | None, typer.Option("--variant", metavar="NAME", help="Variant of the architecture.")]
ModelOptions = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="OPTION=VALUE", help="Change a number or an option of the model, e.g. layers=2."),
]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print JSON, and only that, on standard output.")]
OutFolder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Folder for records and pictures.",
        show_default="runs/TIME-DIGEST; none with --json",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What is asked of a system: the model, the devices, the requests."""

    model: ModelName = DEFAULT_MODEL
    variant: Variant = None
    options: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="OPTION=VALUE", help="Change an option of the model, such as layers=2."),
    ] = None
    phase: Annotated[
        Phase | None,
        typer.Option(
            help="What is simulated: one new token each, whole prompts, a forward pass, or a training step.",
            show_default="decode, or forward",
        ),
    ] = None
    tp: Annotated[
        int | None, typer.Option(min=1, help="Tensor-parallel devices.", show_default="as published for the model")
    ] = None
    pp: Annotated[
        int | None, typer.Option(min=1, help="Pipeline-parallel stages; without it, as many as the weights need.")
    ] = None
    layers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Only so many decoder blocks, without embedding and head.", show_default="the whole model"
        ),
    ] = None
    periods: Annotated[int, typer.Option(min=1, help="Layers that are simulated to stand for the others.")] = 1
    interleaving: Annotated[
        Interleaving | None, typer.Option(help="Sub-batch interleaving.", show_default="as the system has it")
    ] = None
    requests: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV of requests with seq_len and, optionally, ch_idx.")
    ] = None
    dataset: Annotated[
        Dataset | None, typer.Option(help="Draw request lengths from this data set.", show_default="sharegpt")
    ] = None
    length: Annotated[
        int | None, typer.Option(min=1, metavar="TOKENS", help="Let every request have so many tokens of context.")
    ] = None
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of requests.",
            show_default=f"{DEFAULT_BATCH}, {DEFAULT_SAMPLES} samples, all of FILE",
        ),
    ] = None
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the draw.", show_default="0")] = None
    overrides: Overrides = None

    def __post_init__(self) -> None:
        if (conflict := self.spec(()).conflict("--")) is not None:
            raise typer.BadParameter(conflict)

    def spec(self, systems: Sequence[str]) -> JobSpec:
        """What is asked of these systems."""
        return JobSpec(
            systems=tuple(systems),
            model=self.model,
            variant=self.variant,
            options=option_values("--option", self.options or ()),
            phase=None if self.phase is None else self.phase.value,
            tp=self.tp,
            pp=self.pp,
            layers=self.layers,
            periods=self.periods,
            interleaving=None if self.interleaving is None else self.interleaving.value,
            requests=self.requests,
            dataset=None if self.dataset is None else self.dataset.value,
            length=self.length,
            batch=self.batch,
            seed=self.seed,
            overrides=tuple(self.overrides or ()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationOptions(JobOptions):
    """The same for commands that simulate it, with options on which the results do not depend."""

    engine: Annotated[
        Engine,
        typer.Option(
            help="What times commands, with the same results: fast runs channels that do the same once, plain runs "
            "all of them, reference is the readable interpreter, some thousand times slower."
        ),
    ] = Engine.FAST
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep the results of simulated plans in DIR, and take them from there when they are asked for again.",
        ),
    ] = None


def option_values(flag: str, settings: Sequence[str]) -> dict[str, str]:
    """Values by the option that each `OPTION=VALUE` names, the last one counting; ModelError for any other text."""
    from neupims.errors import ModelError

    values: dict[str, str] = {}
    for setting in settings:
        option, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not option:
            raise ModelError(f"{flag} {setting}: is not of the form OPTION=VALUE, such as layers=2")
        values[option] = value
    return values


def takes_job(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the parameter `job` of a command, JobOptions or a kind of it, by one option for each of its fields."""
    own = get_type_hints(command, include_extras=True)
    options: type[JobOptions] = own["job"]
    fields = {field.name: field.default for field in dataclasses.fields(options)}
    hints = get_type_hints(options, include_extras=True)

    def flat(**given: Any) -> None:
        command(job=options(**{name: given.pop(name) for name in fields}), **given)

    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name == "job":
            parameters += [_keyword(name, hints[name], default) for name, default in fields.items()]
        else:
            parameters.append(_keyword(parameter.name, own[parameter.name], parameter.default))
    flat.__name__, flat.__doc__ = command.__name__, command.__doc__
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    flat.__dict__["__signature__"] = inspect.Signature(parameters)
    return flat


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
