"""The architectures that there are: those that come with the package and those in folders of the user."""

import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from neupims.errors import ModelError
from neupims.graph.architecture import Architecture
from neupims.graph.config import configure, did_you_mean, listed
from neupims.graph.importers.choice import importer_of
from neupims.graph.model import Model, full_name
from neupims.graph.tracing.location import file_name, raised_in
from neupims.paths import data_dir

Folders = Sequence[Path | str]
Found = tuple[Architecture, str | None]
NO_OPTIONS: Mapping[str, object] = {}
OWN, DECLARATION = "workloads", b"@architecture("


def load_model(
    name: str, variant: str | None = None, options: Mapping[str, object] = NO_OPTIONS, folders: Folders = ()
) -> Model:
    """The model called `gpt3-30b`, or `gpt3` with variant `30b`; options override values of its config.

    Upper and lower case are the same. Architectures are also searched as `list_models` says. A name that is a file, or
    looks like one, or like `module:factory`, is imported instead (`neupims.graph.importers`). ModelError for an
    unknown model, variant or option, and for a file that cannot be loaded.
    """
    if (importer := importer_of(name)) is not None:
        if variant is not None:
            raise ModelError(f"model '{name}' is imported and has no variants, but variant '{variant}' is asked for")
        return importer(name, options)
    found, chosen = find_model(name, variant, folders)
    values = found.variants[chosen] if chosen else NO_OPTIONS
    return Model(found, chosen, configure(found.config, full_name(found, chosen), values, options))


def find_model(name: str, variant: str | None = None, folders: Folders = ()) -> Found:
    """Architecture and variant of a name; ModelError with the nearest names if there is none."""
    known = {architecture.name: architecture for architecture in list_models(folders)}
    architecture, inside = _split(name.lower(), known)
    if architecture is None:
        names = [full_name(found, one) for found in known.values() for one in (*found.variants, None)]
        raise ModelError(f"unknown model '{name}'; models: {_catalogue(known)}{did_you_mean(name, names)}")
    if inside and variant and inside != variant.lower():
        raise ModelError(f"model '{name}' names variant {inside}, but variant '{variant}' is asked for as well")
    return architecture, _variant(architecture, inside or variant)


def list_models(folders: Folders = ()) -> tuple[Architecture, ...]:
    """All architectures, by name: the built-in ones, those in `folders`, and those of the user.

    The user's are in `workloads` of the working directory and below; one of them hides another of the same name, as
    systems in `hwconfigs` do. ModelError if two of the others have one name.
    """
    shared = _by_name(
        found for folder in (data_dir("workloads"), *folders) for found in _declared(_files(Path(folder)))
    )
    known = shared | _by_name(_declared(_own_files()))
    return tuple(known[name] for name in sorted(known))


def _by_name(declared: Iterable[Architecture]) -> dict[str, Architecture]:
    known: dict[str, Architecture] = {}
    for found in declared:
        if found.name in known:
            files = f"{file_name(known[found.name].file)} and {file_name(found.file)}"
            raise ModelError(f"there are two architectures '{found.name}': in {files}; rename one")
        known[found.name] = found
    return known


def _split(name: str, known: Mapping[str, Architecture]) -> tuple[Architecture | None, str | None]:
    if name in known:
        return known[name], None
    for prefix in sorted(known, key=len, reverse=True):
        if name.startswith(f"{prefix}-"):
            return known[prefix], name.removeprefix(f"{prefix}-")
    return None, None


def _variant(architecture: Architecture, variant: str | None) -> str | None:
    known = architecture.variants
    if variant is None and architecture.default is not None:
        return architecture.default
    if variant is None and known:
        example = full_name(architecture, next(iter(known)))
        raise ModelError(f"model '{architecture.name}' needs a variant, as in {example}; variants: {listed(known)}")
    if variant is not None and variant.lower() not in known:
        hint = did_you_mean(variant, known)
        raise ModelError(f"model '{architecture.name}' has no variant '{variant}'; variants: {listed(known)}{hint}")
    return variant and variant.lower()


def _catalogue(known: Mapping[str, Architecture]) -> str:
    return listed([f"{name} ({listed(found.variants)})" if found.variants else name for name, found in known.items()])


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ModelError(f"{folder}: there is no such folder of architectures")
    return sorted(folder.rglob("*.py"))


def _own_files() -> list[Path]:
    """Files of the user that declare an architecture; others of a folder of that name are left alone."""
    return [path for path in sorted((Path.cwd() / OWN).rglob("*.py")) if DECLARATION in path.read_bytes()]


def _declared(files: Iterable[Path]) -> Iterable[Architecture]:
    for path in files:
        module = _loaded(path.resolve())
        yield from (value for value in vars(module).values() if isinstance(value, Architecture))


def _loaded(path: Path) -> ModuleType:
    """The module of a file, read again only if the file has changed."""
    digest = sha256(str(path).encode() + path.read_bytes()).hexdigest()
    name = f"neupims_workload_{digest[:16]}"
    return sys.modules[name] if name in sys.modules else _executed(name, path)


def _executed(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise _broken(path, error) from error
    return module


def _broken(path: Path, error: Exception) -> ModelError:
    if isinstance(error, ModelError):
        return error
    where = raised_in(str(path), error.__traceback__)
    if isinstance(error, SyntaxError) and error.filename == str(path):
        where = f"{file_name(str(path))}:{error.lineno}"
    return ModelError(f"{where}: the file cannot be loaded: {type(error).__name__}: {error}")
