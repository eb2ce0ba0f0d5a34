"""From options to a job that is loaded and checked."""

from collections.abc import Sequence
from typing import Any

from neupims.cli.options import JobOptions, SimulationOptions
from neupims.cli.output import note
from neupims.job import Job, load_job


def build_job(options: JobOptions, systems: Sequence[str]) -> Job:
    """Load what the options name. Raises the NeupimsError of whatever is wrong."""
    job = load_job(options.spec(systems))
    for text in job.notes:
        note(text)
    return job


def tools(options: SimulationOptions) -> dict[str, Any]:
    """Keyword arguments of `simulate` and `compare` on which the results do not depend."""
    from neupims.results.cache import ResultCache

    cache = None if options.cache is None else ResultCache(options.cache)
    return {"engine": options.engine.value, "cache": cache}
