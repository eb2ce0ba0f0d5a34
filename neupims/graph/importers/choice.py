"""Which importer a name is for, by its look."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from neupims.graph.model import Model

FACTORY = re.compile(r"[\w./\\-]+:[A-Za-z_]\w*")
"""`module:factory`, or `file.py:factory`."""

Importer = Callable[[str, Mapping[str, object]], Model]


def _json(name: str, options: Mapping[str, object]) -> Model:
    from neupims.graph.importers.huggingface import load_config

    return load_config(Path(name), options)


def _onnx(name: str, options: Mapping[str, object]) -> Model:
    from neupims.graph.importers.onnx_file import load_onnx

    return load_onnx(name, options)


def _torch(name: str, options: Mapping[str, object]) -> Model:
    from neupims.graph.importers.torch_module import load_module

    return load_module(name, options)


SUFFIXES: Mapping[str, Importer] = {".json": _json, ".onnx": _onnx}


def importer_of(name: str) -> Importer | None:
    """The importer of a config.json, of a folder `./llama` with one, `file.onnx` or `module:factory`; else None."""
    path = Path(name)
    if "/" in name and path.is_dir() and (path / "config.json").is_file():
        return lambda name, options: _json(str(Path(name) / "config.json"), options)
    if FACTORY.fullmatch(name):
        return _torch
    return SUFFIXES.get(path.suffix.lower())
