"""`neupims models`: the architectures, and what is in one of them."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neupims.cli.options import JsonOutput, Variant
from neupims.cli.output import emit_json, emit_rich

if TYPE_CHECKING:
    from neupims.graph import Architecture, Graph, Model, Paper

app = typer.Typer(help="Architectures: what there is, and what is in one.", no_args_is_help=True)


class Phase(StrEnum):
    """Which iteration of a model."""

    DECODE = "decode"
    PREFILL = "prefill"
    FORWARD = "forward"


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
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Such as gpt3-30b; or a config.json, an .onnx file or module:factory."),
    ],
    variant: Variant = None,
    phase: Annotated[
        Phase | None,
        typer.Option(
            help="Iteration to count: one token each, all of a prompt, or one pass.", show_default="the model's"
        ),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Number of requests.")] = 1,
    context: Annotated[int, typer.Option(min=1, help="Tokens of each request, new ones included.")] = 1024,
    json: JsonOutput = False,
) -> None:
    """Show parameters, work and operators of a model."""
    from neupims.graph import load_model
    from neupims.reports.graphs import graph_table

    model = load_model(name, variant)
    graph = model.trace((context,) * batch, None if phase is None else phase.value)
    if json:
        emit_json(_record(model, graph, {"phase": graph.phase, "batch": batch, "context": context}))
    else:
        emit_rich(_headline(model, graph, f"{graph.phase} of {batch} x {context} tokens"), "", graph_table(graph))


def _catalogue_entry(architecture: "Architecture") -> dict[str, Any]:
    return {
        "name": architecture.name,
        "family": architecture.family,
        "paper": _paper(architecture.paper),
        "variants": list(architecture.variants),
    }


def _record(model: "Model", graph: "Graph", asked: dict[str, Any]) -> dict[str, Any]:
    from neupims.reports.graphs import operator_rows

    return {
        "name": model.name,
        "variant": model.variant,
        "family": model.family,
        "paper": _paper(model.paper),
        "params": model.params,
        "macs": graph.macs,
        "other_ops": graph.other_ops,
        "input": asked,
        "state_bytes": graph.state_bytes,
        "operators": operator_rows(graph),
    }


def _paper(paper: "Paper") -> dict[str, str | None]:
    return {"title": paper.title, "arxiv": paper.arxiv}


def _headline(model: "Model", graph: "Graph", asked: str) -> str:
    from neupims.reports.table import count

    published = f"{model.paper.title}, arXiv:{model.paper.arxiv}" if model.paper.arxiv else model.paper.title
    facts = f"{count(model.params)} parameters, {count(graph.state_bytes, 'B')} of state"
    return f"{model.name}: {published}\n{asked}: {count(graph.macs)} MACs, {facts}"
