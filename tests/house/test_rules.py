"""Length and documentation of all code, measured."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
FILES = sorted(path for room in ("neupims", "workloads") for path in (ROOT / room).rglob("*.py"))
FILE_LIMIT, FUNCTION_LIMIT, NINE_IN_TEN_LIMIT, MEDIAN_LIMIT = 300, 60, 25, 8
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def definitions(path: Path) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, bool]]:
    """Functions and classes of a file, and whether each can be seen from outside."""

    def walk(
        node: ast.AST, public: bool
    ) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, bool]]:
        for child in ast.iter_child_nodes(node):
            seen = public
            if isinstance(child, FUNCTION | ast.ClassDef):
                seen = public and not child.name.startswith("_")
                yield child, seen
            yield from walk(child, seen and not isinstance(child, FUNCTION))

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), True)


def at(path: Path, line: int, what: str) -> str:
    return f"{path.relative_to(ROOT)}:{line}: {what}"


def lengths() -> dict[str, int]:
    """Lines of each function, from `def` to its end, by place and name."""
    found = ((path, node) for path in FILES for node, _ in definitions(path) if isinstance(node, FUNCTION))
    return {at(path, node.lineno, node.name): (node.end_lineno or 0) - node.lineno + 1 for path, node in found}


def test_no_file_is_long() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert [at(p, n, f"file has {n} lines, limit {FILE_LIMIT}") for p, n in lines.items() if n > FILE_LIMIT] == []


def test_no_function_is_long() -> None:
    long = {where: n for where, n in lengths().items() if n > FUNCTION_LIMIT}
    assert [f"{where} has {n} lines, limit {FUNCTION_LIMIT}" for where, n in long.items()] == []


def test_most_functions_are_short() -> None:
    ordered = sorted(lengths().values())
    assert ordered[len(ordered) * 9 // 10] <= NINE_IN_TEN_LIMIT
    assert median(ordered) <= MEDIAN_LIMIT


def test_every_public_name_is_documented() -> None:
    bare = [
        at(path, node.lineno, f"{node.name} has no docstring")
        for path in FILES
        for node, public in definitions(path)
        if public and ast.get_docstring(node) is None
    ]
    assert bare == []


def test_every_file_says_what_it_is() -> None:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
    assert [
        at(path, 1, "no docstring") for path, tree in trees.items() if tree.body and not ast.get_docstring(tree)
    ] == []
