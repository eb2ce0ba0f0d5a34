"""The JSON Schema covers whatever a file may hold."""

import json
from typing import Any

import pytest

from neupims.hardware.document import Section
from neupims.hardware.inherit import read_tree, system_files
from neupims.hardware.load import load_system
from neupims.hardware.schema import key_paths, system_schema, unknown_key


def resolve(schema: dict[str, Any], part: dict[str, Any]) -> list[dict[str, Any]]:
    """The object schemas that a property may be."""
    options = part.get("anyOf", [part])
    return [schema["$defs"][option["$ref"].rpartition("/")[2]] if "$ref" in option else option for option in options]


def keys(schema: dict[str, Any], part: dict[str, Any], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, inner in part.get("properties", {}).items():
        found |= {prefix + name}
        for option in resolve(schema, inner):
            found |= keys(schema, option, f"{prefix}{name}.")
    return found


def test_it_has_every_key_and_base() -> None:
    schema = system_schema()
    assert keys(schema, schema) == {"base", *key_paths(Section("", {}))}


def test_it_is_json_and_asks_for_nothing() -> None:
    text = json.dumps(system_schema())
    assert '"required"' not in text
    assert '"oneOf"' not in text
    assert text.count('"additionalProperties": false') == len(system_schema()["$defs"]) + 1


def test_it_tells_meanings_and_limits() -> None:
    ranks = system_schema()["$defs"]["Organization"]["properties"]["ranks"]
    assert (ranks["type"], ranks["exclusiveMinimum"]) == ("integer", 0)
    assert ranks["description"] == "Ranks (pseudo channels that share the command bus) per channel."


def test_keys_are_those_of_the_processor_at_hand() -> None:
    gpu, npu = (key_paths(read_tree(system_files()[name])) for name in ("gpu-a100", "npu-only"))
    assert "processor.peak_tflops" in gpu
    assert "processor.peak_tflops" not in npu
    assert "processor.arrays.count" in npu
    assert "processor.arrays.count" not in gpu


def test_all_values_of_a_system_are_keys() -> None:
    known = key_paths(read_tree(system_files()["neupims"]))
    dump = load_system("neupims").model_dump()
    assert {f"pim.{key}" for key in dump["pim"]} <= set(known)


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("a.top", "unknown key, allowed in a are tip_long, b"),
        ("a.bb.c", "unknown key, allowed in a are tip_long, b"),
        ("a.tip_lang", "unknown key, did you mean tip_long?"),
        ("tip_lang", "unknown key, did you mean a.tip_long?"),
        ("q.w", "unknown key, allowed are a"),
    ],
)
def test_unknown_keys_get_the_nearest(path: str, what: str) -> None:
    assert unknown_key(path, ["a", "a.tip_long", "a.b", "a.b.deep"]) == what
