"""Pages that are run as they are read: files are written, commands and Python sessions give what the page says."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```(yaml|json|console|refused|python)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHECKER = doctest.OutputChecker()


def write(text, _neupims, _names):
    name = re.match(r"# (\S+)\n", text)
    assert name is not None, "a file begins with a comment that names it"
    Path(name.group(1)).write_text(text, encoding="utf-8")


def in_shell(text, neupims, _names, code=0):
    for session in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = session.partition("\n")
        program, *arguments = shlex.split(command)
        assert program == "neupims"
        result = neupims(*arguments)
        assert result.code == code, result.err
        lines = (result.err if code else result.out).splitlines()
        got = re.sub(r"\n{2,}", "\n", "\n".join(line.rstrip() for line in lines) + "\n")
        assert CHECKER.check_output(expected, got, doctest.ELLIPSIS), got


def in_python(text, _neupims, names):
    parsed = doctest.DocTestParser().get_doctest(text, names, "page", None, None)
    failures: list[str] = []
    runner = doctest.DocTestRunner(CHECKER, verbose=False)
    runner.run(parsed, out=failures.append, clear_globs=False)
    names.update(parsed.globs)
    assert failures == []


def refused(text, neupims, names):
    in_shell(text, neupims, names, code=1)


RUN = {"yaml": write, "console": in_shell, "refused": refused, "python": in_python}


PAGES_THAT_RUN = ["tutorial/sweeps.md", "guides/import-a-model.md", "guides/add-an-architecture.md"]


@pytest.mark.parametrize("page", PAGES_THAT_RUN)
def test_a_tutorial_does_what_it_says(page, neupims):
    names: dict[str, object] = {}
    blocks = FENCE.findall((PAGES / page).read_text(encoding="utf-8"))
    assert {"console", "python"} <= {kind for kind, _, _ in blocks}
    for kind, file, text in blocks:
        if file:
            Path(file).parent.mkdir(exist_ok=True)
            Path(file).write_text(text, encoding="utf-8")
        else:
            RUN[kind](text, neupims, names)
