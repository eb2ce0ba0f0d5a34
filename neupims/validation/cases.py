"""All comparisons, in the order of the page."""

import inspect
from collections.abc import Mapping
from types import ModuleType

from neupims.validation import dram, dram_simulators, gpu, pim, protocol, published, systolic
from neupims.validation.check import Case

MODULES: tuple[ModuleType, ...] = (published, dram, pim, dram_simulators, systolic, protocol, gpu)


def all_cases() -> tuple[Case, ...]:
    """Every case that comes with the program."""
    return tuple(case for module in MODULES for case in module.CASES)


def introductions() -> Mapping[str, str]:
    """What each section compares and why it may differ: the text at the top of the module of its first case.

    A text that serves several sections stands in the first of them.
    """
    first = {module: module.CASES[0].section for module in MODULES}
    return {section: inspect.getdoc(module) or "" for module, section in first.items()}
