"""YAML becomes a tree with places and comments, and every wrong text gets its sentence."""

import pytest

from neupims.errors import ConfigError
from neupims.hardware.document import Leaf, Section, merge, plain_scalar, read_document, read_value

TEXT = """\
# about the file
a: 1  # source of a
b:
  c: {x: 1.5, y: 2}  # source of both
  d: [row, rank]# not a comment
  e: "# text"  # quoted
  f: |
    # text
"""


def test_values_know_their_places_and_comments() -> None:
    tree = read_document(TEXT, "f.yaml")
    inner = tree.entries["b"]
    assert tree.entries["a"] == Leaf("f.yaml:2:1", 1, "source of a")
    assert isinstance(inner, Section)
    assert inner.place == "f.yaml:3:1"
    assert inner.entries["c"] == Section(
        "f.yaml:4:3",
        {"x": Leaf("f.yaml:4:7", 1.5, "source of both"), "y": Leaf("f.yaml:4:15", 2, "source of both")},
    )
    assert inner.entries["e"] == Leaf("f.yaml:6:3", "# text", "quoted")
    assert inner.entries["f"] == Leaf("f.yaml:7:3", "# text\n", "")


def test_a_section_does_not_take_the_comment_of_what_follows_it() -> None:
    text = "a:\n  x: 1  # source of x\n  y: 2\nb: 3  # source of b\n"
    section = read_document(text, "f.yaml").entries["a"]
    assert isinstance(section, Section)
    assert section.entries == {"x": Leaf("f.yaml:2:3", 1, "source of x"), "y": Leaf("f.yaml:3:3", 2, "")}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("off", "off"),
        ("no", "no"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("12", 12),
        ("-3", -3),
        ("1_000", 1000),
        ("010", 10),
        ("1e6", 1e6),
        ("2.", 2.0),
        (".5", 0.5),
        ("1:30", "1:30"),
        (".inf", ".inf"),
        ("2024-01-01", "2024-01-01"),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    assert plain_scalar(text) == value
    assert type(plain_scalar(text)) is type(value)


def test_quoted_scalars_stay_text() -> None:
    assert read_value('"14"', "here", "") == Leaf("here", "14", "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "f.yaml: is empty, must hold sections such as processor, memory and link"),
        ("# only a comment\n", "f.yaml: is empty, must hold sections such as processor, memory and link"),
        ("- 1\n- 2\n", "f.yaml: holds no keys, must hold sections such as processor, memory and link"),
        ("word\n", "f.yaml: holds no keys, must hold sections such as processor, memory and link"),
        ("a: 1\nb: c: d\n", "f.yaml:2:5: is not YAML: mapping values are not allowed in this context"),
        ("a: *nowhere\n", "f.yaml:1:4: is not YAML: found undefined alias"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: is not YAML: but found another document"),
        ("a: \0\n", "f.yaml: is not YAML: unacceptable character #x0000: control characters are not allowed"),
        ("a: &a {b: *a}\n", "f.yaml: is nested too deeply, or an alias refers to itself"),
        ("a: !python/object 3\n", "f.yaml:1:4: tags such as !python/object are not used here"),
        ("a: !mine {b: 1}\n", "f.yaml:1:4: tags such as !mine are not used here"),
        ("? [1, 2]\n: 3\n", "f.yaml:1:3: a key must be a word"),
        ("a: 1\na: 2\n", "f.yaml:2:1: a: is given twice, first at f.yaml:1:1"),
    ],
)
def test_wrong_texts(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_document(text, "f.yaml")
    assert str(error.value) == sentence


def test_each_duplicate_has_its_line() -> None:
    with pytest.raises(ConfigError) as error:
        read_document("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", "f.yaml")
    assert str(error.value).splitlines() == [
        "f.yaml:4:3: b.c: is given twice, first at f.yaml:3:3",
        "f.yaml:5:1: a: is given twice, first at f.yaml:1:1",
    ]


def test_merge_goes_into_sections_and_replaces_values() -> None:
    below = read_document("a: {x: 1, y: 2}\nb: 1\nc: {z: 1}\n", "below")
    above = read_document("a: {y: 3}\nb: {w: 1}\nc: null\n", "above")
    merged = merge(below, above)
    assert merged.entries["a"] == Section("above:1:1", {"x": Leaf("below:1:5", 1), "y": Leaf("above:1:5", 3)})
    assert merged.entries["b"] == Section("above:2:1", {"w": Leaf("above:2:5", 1)})
    assert merged.entries["c"] == Leaf("above:3:1", None)
