"""Architectures are found by name, in the package and in folders, and options are read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from neupims.errors import ModelError
from neupims.graph import find_model, list_models, load_model

Folder = Callable[..., Path]
VARIANTS = '@variant("s", layers=1)\n@variant("m", layers=3, width=16)\n'


def refused(*arguments: object, **options: object) -> str:
    """The sentence with which a model is refused."""
    with pytest.raises(ModelError) as error:
        load_model(*arguments, **options)  # type: ignore[arg-type]
    return str(error.value)


def test_gpt3_comes_with_the_package() -> None:
    (gpt3,) = [found for found in list_models() if found.name == "gpt3"]
    assert (gpt3.family, list(gpt3.variants), gpt3.paper.arxiv) == (
        "language",
        ["7b", "13b", "30b", "175b"],
        "2005.14165",
    )
    assert gpt3.about == "Decoder-only language model."


def test_a_folder_of_the_user_is_found_the_same_way(folder: Folder) -> None:
    found, variant = find_model("tiny", folders=[folder()])
    assert (found.name, variant, found.paper.title) == ("tiny", None, "A Title")
    assert [one.name for one in list_models([folder()])][-1] == "tiny"
    model = load_model("tiny", folders=[folder()])
    assert (model.name, model.variant, model.layers) == ("tiny", None, 2)
    assert model.params == 16 * 8 + 2 * (8 * 8 + 8)


def test_folders_below_are_searched(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "family").mkdir()
    assert load_model("tiny", folders=[folder(file="family/tiny.py")]).name == "tiny"


def test_workloads_of_the_working_directory_are_found(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "workloads" / "mine").mkdir(parents=True)
    folder(file="workloads/mine/tiny.py", variants=VARIANTS)
    (tmp_path / "workloads" / "program.py").write_text("raise SystemExit", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_model("tiny-m").layers == 3
    assert "tiny" in [found.name for found in list_models()]
    monkeypatch.chdir(tmp_path / "workloads")
    assert refused("tiny-m").startswith("unknown model 'tiny-m'; models: ")


def test_a_users_architecture_hides_a_built_in_one(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "workloads").mkdir()
    folder(file="workloads/own.py", name="gpt3")
    monkeypatch.chdir(tmp_path)
    assert load_model("gpt3").paper.title == "A Title"
    assert sum(found.name == "gpt3" for found in list_models()) == 1


def test_variants_set_values_in_the_order_of_the_file(folder: Folder) -> None:
    found, variant = find_model("TINY-M", folders=[folder(variants=VARIANTS)])
    assert (list(found.variants), variant) == (["s", "m"], "m")
    model = load_model("tiny", "m", folders=[folder(variants=VARIANTS)])
    assert (model.name, model.layers, model.params) == ("tiny-m", 3, 16 * 16 + 3 * (16 * 16 + 16))


def test_options_override_a_variant(folder: Folder) -> None:
    model = load_model("tiny-m", options={"layers": "5"}, folders=[folder(variants=VARIANTS)])
    assert (model.layers, model.params) == (5, 16 * 16 + 5 * (16 * 16 + 16))


@pytest.mark.parametrize(
    ("option", "given", "value"),
    [
        ("layers", "+4", 4),
        ("layers", 4, 4),
        ("dropout", "1e-3", 0.001),
        ("dropout", 1, 1.0),
        ("gated", "Yes", True),
        ("gated", False, False),
        ("sizes", "2, 2,6", (2, 2, 6)),
        ("sizes", [3, "4"], (3, 4)),
        ("mixer", "conv", "conv"),
        ("routing", "skewed", "skewed"),
    ],
)
def test_options_are_read_as_their_type(folder: Folder, option: str, given: object, value: object) -> None:
    config = load_model("tiny", options={option: given}, folders=[folder()]).config
    assert getattr(config, option) == value
    assert type(getattr(config, option)) is type(value)


@pytest.mark.parametrize(
    ("option", "given", "problem"),
    [
        ("layers", "two", "'two' is not an integer"),
        ("layers", 2.5, "2.5 is not an integer"),
        ("layers", True, "True is not an integer"),
        ("dropout", "much", "'much' is not a number"),
        ("dropout", None, "None is not a number"),
        ("dropout", "nan", "'nan' is not a number"),
        ("gated", "maybe", "'maybe' is not true or false"),
        ("sizes", "1,x", "'1,x' is not a list of integers such as 2,2,6,2"),
        ("sizes", 3, "3 is not a list of integers such as 2,2,6,2"),
        ("mixer", 3, "3 is not text"),
        ("routing", "skewd", "'skewd' is not one of balanced, skewed; did you mean skewed?"),
    ],
)
def test_an_option_of_another_type(folder: Folder, option: str, given: object, problem: str) -> None:
    assert refused("tiny", options={option: given}, folders=[folder()]) == f"tiny: option '{option}': {problem}"


def test_an_unknown_option() -> None:
    assert refused("gpt3-7b", options={"widht": 3}) == (
        "gpt3-7b: unknown option 'widht'; options: layers, heads, width, vocabulary, positions; did you mean width?"
    )


def test_an_unknown_model(folder: Folder) -> None:
    problem = refused("gtp3-7b", folders=[folder(variants=VARIANTS)])
    assert problem.startswith("unknown model 'gtp3-7b'; models: ")
    assert "gpt3 (7b, 13b, 30b, 175b)" in problem
    assert problem.endswith("tiny (s, m); did you mean gpt3-7b?")
    assert refused("xyzzy").startswith("unknown model 'xyzzy'; models: ")


def test_an_unknown_variant(folder: Folder) -> None:
    variants = "variants: 7b, 13b, 30b, 175b"
    assert refused("gpt3-17b") == f"model 'gpt3' has no variant '17b'; {variants}; did you mean 175b?"
    assert refused("gpt3", "large") == f"model 'gpt3' has no variant 'large'; {variants}"
    assert refused("tiny-s", folders=[folder()]) == "model 'tiny' has no variant 's'; variants: none"


def test_a_model_without_the_variant_that_it_needs() -> None:
    assert refused("gpt3") == "model 'gpt3' needs a variant, as in gpt3-7b; variants: 7b, 13b, 30b, 175b"


def test_two_variants_at_once() -> None:
    assert refused("gpt3-7b", "13b") == "model 'gpt3-7b' names variant 7b, but variant '13b' is asked for as well"
    assert load_model("gpt3-7b", "7B").variant == "7b"


def test_two_architectures_of_one_name(folder: Folder, tmp_path: Path) -> None:
    folder(file="one.py")
    assert refused("tiny", folders=[folder(file="two.py")]) == (
        f"there are two architectures 'tiny': in {tmp_path}/one.py and {tmp_path}/two.py; rename one"
    )


def test_a_missing_folder(tmp_path: Path) -> None:
    assert refused("tiny", folders=[tmp_path / "no"]) == f"{tmp_path}/no: there is no such folder of architectures"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("x = 1\ny = (\n", 2, "SyntaxError: '(' was never closed"),
        ("x = 1\ny = x / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("import nothing_of_this_name\n", 1, "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
    ],
)
def test_a_file_that_cannot_be_loaded(tmp_path: Path, text: str, line: int, problem: str) -> None:
    (tmp_path / "bad.py").write_text(text, encoding="utf-8")
    opening = f"{tmp_path}/bad.py:{line}: the file cannot be loaded: {problem}"
    assert refused("bad", folders=[tmp_path]).startswith(opening)
    assert refused("bad", folders=[tmp_path]).startswith(opening)


def test_a_shape_error_in_a_file_names_its_line(folder: Folder, tmp_path: Path) -> None:
    model = load_model("tiny", folders=[folder(width="cfg.width + 1")])
    with pytest.raises(ModelError) as error:
        model.decode([5, 6])
    assert str(error.value) == (
        f"{tmp_path}/tiny.py:22: add 'layer.residual': shapes (2, 8) and (2, 9) do not broadcast; "
        "sizes must be equal or 1"
    )


def test_a_mistake_in_a_file_names_its_line(folder: Folder, tmp_path: Path) -> None:
    model = load_model("tiny", folders=[folder(width="cfg.wide")])
    with pytest.raises(ModelError) as error:
        model.prefill([5])
    assert str(error.value) == f"{tmp_path}/tiny.py:22: tiny: AttributeError: 'Tiny' object has no attribute 'wide'"


def test_a_changed_file_is_read_again(folder: Folder) -> None:
    before = load_model("tiny", folders=[folder()])
    assert load_model("tiny", folders=[folder()]) == before
    assert load_model("tiny", folders=[folder(variants=VARIANTS)], variant="m").layers == 3


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"name": "Tiny!"}, "architecture 'Tiny!' must be lower-case letters, digits, '.', '_' and '-'"),
        ({"variants": '@variant("B")\n'}, "variant 'B' must be lower-case letters, digits, '.', '_' and '-'"),
        ({"variants": '@variant("b")\n@variant("b")\n'}, "there are two variants 'b'"),
        ({"variants": '@variant("b", depth=3)\n'}, "variant 'b' of 'tiny' sets depth, which Tiny has not"),
        ({"variants": '@variant("b", layers="x")\n'}, "variant 'b' of 'tiny': layers: 'x' is not an integer"),
    ],
)
def test_a_wrong_declaration(folder: Folder, tmp_path: Path, declared: dict[str, str], problem: str) -> None:
    message = refused("tiny", folders=[folder(**declared)])
    place, _, sentence = message.partition(": ")
    assert (place.rpartition(":")[0], sentence) == (f"{tmp_path}/tiny.py", problem)


def test_a_function_without_a_config(tmp_path: Path) -> None:
    text = (
        "from neupims.graph import architecture\n"
        '@architecture("a", paper="P", family="f")\ndef a(net, cfg):\n    pass\n'
    )
    (tmp_path / "a.py").write_text(text, encoding="utf-8")
    assert refused("a", folders=[tmp_path]) == (
        f"{tmp_path}/a.py:2: architecture 'a' must take one argument annotated with a subclass of Config"
    )


def test_a_value_that_nobody_gives(tmp_path: Path) -> None:
    text = (
        "from neupims.graph import Config, Tracer, architecture\n\n\n"
        "class A(Config):\n    width: int\n    depth: int\n\n\n"
        '@architecture("a", paper="P", family="f")\ndef a(net: Tracer, cfg: A) -> None:\n    """A."""\n'
    )
    (tmp_path / "a.py").write_text(text, encoding="utf-8")
    assert refused("a", options={"depth": 1}, folders=[tmp_path]) == (
        "a: no value for width; choose a variant or give them as options"
    )
