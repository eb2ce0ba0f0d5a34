"""Expressions over the values of a point: conditions, and values that follow from others."""

import ast
from collections.abc import Mapping
from typing import Any, cast

from simpleeval import FeatureNotAvailable, InvalidExpression, SimpleEval

from neupims.errors import ConfigError

FUNCTIONS = {"min": min, "max": max, "round": round, "int": int, "abs": abs}


def evaluate(expression: str, values: Mapping[str, Any], place: str) -> Any:
    """Value of an expression such as `batch * tp <= 4096` or `system == "neupims"`.

    `values` are by name; a dotted name such as `memory.timing.t_faw_ns` is written as it is.

    Raises:
        ConfigError: it is no expression, names something that has no value, or cannot be computed.
    """
    evaluator: Any = SimpleEval(functions=FUNCTIONS, names=_nested(values))
    try:
        return evaluator.eval(expression)
    except (InvalidExpression, FeatureNotAvailable, SyntaxError, ArithmeticError, TypeError, ValueError) as error:
        raise ConfigError(f"{place}: {expression!r} cannot be computed: {_reason(error, values)}") from None


def names_in(expression: str) -> set[str]:
    """Names that an expression uses, dotted ones in full; none if it is no expression."""
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError:
        return set()
    return {name for node in ast.walk(tree) if (name := _dotted(node))}


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (above := _dotted(node.value)):
        return f"{above}.{node.attr}"
    return ""


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as mappings in mappings, which the evaluator reads as attributes."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *sections, last = name.split(".")
        inside = tree
        for section in sections:
            found = inside.setdefault(section, {})
            inside = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        inside[last] = value
    return tree


def _reason(error: Exception, values: Mapping[str, Any]) -> str:
    if isinstance(error, SyntaxError):
        return f"it is no expression ({error.msg})"
    known = ", ".join(values) or "none"
    text = str(error).split(", expression")[0].rstrip(".")
    return f"{text}; names that have a value here: {known}"
