"""`neupims models`: the architectures, and what is in one of them."""

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from neupims.cli.options import JsonOutput, ModelOptions, Phase, Variant, option_values
from neupims.cli.output import emit, emit_json, emit_rich

if TYPE_CHECKING:
    from neupims.graph import Architecture, Graph, Model, Paper

app = typer.Typer(help="Architectures: what there is, and what is in one.", no_args_is_help=True)


ModelArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Such as gpt3-30b; or a config.json, an .onnx file or module:factory.")
]
PhaseOption = Annotated[
    Phase | None,
    typer.Option(
        help="Pass to trace: one token each, all of a prompt, one forward pass, or a training step.",
        show_default="what the model is simulated in: decode or forward",
    ),
]
BatchOption = Annotated[int, typer.Option(min=1, help="Number of requests, or of samples.")]
ContextOption = Annotated[int, typer.Option(min=1, help="Tokens of each request, new ones included.")]


@app.command("list")
def list_all(json: JsonOutput = False) -> None:
    """List the architectures and their variants."""
    from rich.table import Table

    from neupims.graph import list_models

    found = list_models()
    if json:
        emit_json([_catalogue_entry(architecture) for architecture in found])
        return
    table = Table.grid(padding=(0, 2))
    for architecture in found:
        table.add_row(
            architecture.name, ", ".join(architecture.variants), architecture.family, architecture.paper.title
        )
    emit_rich(table)


@app.command("show")
def show_model(
    name: ModelArgument,
    variant: Variant = None,
    phase: PhaseOption = None,
    batch: BatchOption = 1,
    context: ContextOption = 1024,
    settings: ModelOptions = None,
    json: JsonOutput = False,
) -> None:
    """Show parameters, work and operators of a model."""
    from neupims.reports.graphs import graph_table

    model, graph = _traced(name, variant, settings, phase, (context,) * batch)
    if json:
        emit_json(_record(model, graph))
    else:
        emit_rich(_headline(model, graph), "", graph_table(graph))


@app.command("trace")
def trace_model(
    name: ModelArgument,
    variant: Variant = None,
    phase: PhaseOption = None,
    batch: BatchOption = 1,
    context: ContextOption = 1024,
    settings: ModelOptions = None,
    json: JsonOutput = False,
) -> None:
    """Show the operator graph of a model: blocks, and what each operator reads and gives."""
    from neupims.reports.graphs import trace_table

    model, graph = _traced(name, variant, settings, phase, (context,) * batch)
    if json:
        emit_json(graph.to_json())
    else:
        emit_rich(_headline(model, graph), "", trace_table(graph))


@app.command("words")
def show_words(json: JsonOutput = False) -> None:
    """Show the words in which an architecture is written, by theme."""
    from neupims.graph import themes

    if json:
        emit_json([{"about": theme.about, "words": dict(theme.words)} for theme in themes()])
        return
    for theme in themes():
        emit(f"{theme.about}\n" + "".join(f"  {name:<20}{about}\n" for name, about in theme.words))


def _traced(
    name: str, variant: str | None, settings: list[str] | None, phase: Phase | None, lengths: tuple[int, ...]
) -> "tuple[Model, Graph]":
    from neupims.graph import load_model

    model = load_model(name, variant, option_values("--set", settings or ()))
    return model, model.trace(lengths, None if phase is None else phase.value)


def _catalogue_entry(architecture: "Architecture") -> dict[str, Any]:
    return {
        "name": architecture.name,
        "family": architecture.family,
        "paper": _paper(architecture.paper),
        "variants": list(architecture.variants),
    }


def _record(model: "Model", graph: "Graph") -> dict[str, Any]:
    from neupims.reports.graphs import operator_rows

    asked = {"phase": graph.phase, "batch": len(graph.lengths), "context": graph.lengths[0]}
    return {
        "name": model.name,
        "variant": model.variant,
        "family": model.family,
        "paper": _paper(model.paper),
        "options": asdict(model.config),
        "params": model.params,
        "macs": graph.macs,
        "other_ops": graph.other_ops,
        "input": asked,
        "state_bytes": graph.state_bytes,
        **_training(graph),
        "operators": operator_rows(graph),
    }


def _training(graph: "Graph") -> dict[str, int]:
    if graph.phase != "training":
        return {}
    return {"trained_params": graph.trained_params, "kept_bytes": graph.kept_bytes}


def _paper(paper: "Paper") -> dict[str, str | None]:
    return {"title": paper.title, "arxiv": paper.arxiv}


def _headline(model: "Model", graph: "Graph") -> str:
    from neupims.reports.table import count

    published = f"{model.paper.title}, arXiv:{model.paper.arxiv}" if model.paper.arxiv else model.paper.title
    facts = f"{count(model.params)} parameters, {count(graph.state_bytes, 'B')} of state"
    if graph.phase == "training":
        facts += f", {count(graph.trained_params)} trained, {count(graph.kept_bytes, 'B')} kept"
    options = " ".join(f"{name}={_text(value)}" for name, value in _chosen(model))
    return f"{model.name}: {published}\n{options}\n{_asked(graph)}: {count(graph.macs)} MACs, {facts}"


def _chosen(model: "Model") -> list[tuple[str, Any]]:
    """Options that are not what they are by default."""
    usual = {field.name: field.default for field in fields(model.config)}
    return [(name, value) for name, value in asdict(model.config).items() if value != usual[name]]


def _asked(graph: "Graph") -> str:
    batch, context = len(graph.lengths), graph.lengths[0]
    if any(tensor.name == "tokens" for tensor in graph.inputs):
        return f"{graph.phase} of {batch} x {context} tokens"
    return f"{graph.phase} of {batch} {'sample' if batch == 1 else 'samples'}"


def _text(value: object) -> str:
    return ",".join(map(str, cast("tuple[int, ...]", value))) if isinstance(value, tuple) else str(value)
