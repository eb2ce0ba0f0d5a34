"""How fast the simulator is, as ratios measured in one run.

    python benchmarks/engine.py [--json] [--requests FILE]

CPU seconds by `time.process_time`, after a warm-up. FILE holds the 512 requests of the whole run, in the form of
`neupims run --requests`; without it they are drawn. Takes one to three minutes, most of it the default job.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

from traffic import rate

from neupims.graph import load_model
from neupims.hardware.load import load_system
from neupims.machine.device import run_plan
from neupims.request import Batch
from neupims.serving.datasets import steady_batch
from neupims.serving.readers import read_requests
from neupims.simulate import simulate

HERE = Path(__file__).parent
TRAFFIC = {
    "pim": ("PIM logit tiles alone", 6_000_000, 8_000),
    "reads": ("saturated reads alone", 1_000_000, 2_000),
    "both": ("reads with PIM", 1_000_000, 2_000),
}
"""What runs, cycles in the compiled engine, cycles in the interpreter."""
REPEATS = 3
SYSTEMS = ("gpu-a100", "npu-only", "npu-pim", "neupims")
LOOP = 20_000_000
COUNT = f"n = 0\nfor i in range({LOOP}): n += i"
LOOPS = {"module": COUNT, "function": "def f():\n " + COUNT.replace("\n", "\n ") + "\nf()"}
"""The yardstick with global and with local variables, which CPython makes about twice as fast."""
PUBLISHED = {"queue scan improved": (38, 37), "unmodified": (95, 92)}
"""The published simulator (C++, -O3) in the whole run: CPU seconds, and how many module loops they are there."""

Row = dict[str, Any]


class TimedMemory:
    """A memory that adds up the CPU seconds spent in it."""

    def __init__(self, memory: Any) -> None:
        self._memory, self.seconds = memory, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memory, name)

    def advance(self, until: int) -> Any:
        start = process_time()
        try:
            return self._memory.advance(until)
        finally:
            self.seconds += process_time() - start


@contextmanager
def observed() -> Iterator[Row]:
    """Commands, cycles and windows of the plans that are simulated inside, and the CPU seconds in their memory."""
    seen: Row = {"commands": 0, "windows": 0, "cycles": 0, "memory_s": 0.0}

    def run(plan: Any, system: Any, memory: Any, *rest: Any) -> Any:
        timed = TimedMemory(memory)
        result = run_plan(plan, system, timed, *rest)
        seen["commands"] += int(memory.counters().commands.sum())
        seen["windows"] += result.windows
        seen["cycles"] += memory.now
        seen["memory_s"] += timed.seconds
        return result

    with patch("neupims.simulate.run_plan", run):
        yield seen


def engine_rates() -> Iterator[Row]:
    """Commands per second of both engines, the compiled one the best of REPEATS measurements."""
    for kind, (name, fast, slow) in TRAFFIC.items():
        rates = {}
        for engine, cycles, repeats in (("fast", fast, REPEATS), ("reference", slow, 1)):
            measured = [rate(engine, kind, cycles) for _ in range(repeats)]
            rates[engine] = max(commands / seconds for commands, seconds in measured)
            rates[f"{engine}_per_cycle"] = measured[0][0] / cycles
        yield {"traffic": name, **rates, "ratio": rates["fast"] / rates["reference"]}


def loop_seconds(source: str) -> float:
    """CPU seconds of counting in CPython, a yardstick for the machine."""
    return min(_seconds(compile(source, "loop", "exec")) for _ in range(REPEATS))


def _seconds(code: Any) -> float:
    start = process_time()
    exec(code, {})
    return process_time() - start


def timed(call: Callable[[], Any]) -> Row:
    """CPU seconds of a simulation and what it simulated."""
    with observed() as seen:
        start = process_time()
        run = call()
        seconds = process_time() - start
    return {"cpu_s": seconds, "per_s": seen["commands"] / seconds, **seen, "iteration_ns": run.iteration_ps / 1000}


def whole_run(requests: Path | None) -> Row:
    """One layer of GPT3-7B with 512 requests, against the loop and against the published simulator."""
    batch: Batch = steady_batch("sharegpt", 512, 0) if requests is None else read_requests(requests)
    packing = [] if requests is not None else ["policy.channel_packing=min_load"]
    system, model = load_system("neupims-authors", packing), load_model("gpt3-7b")

    def run(part: Batch = batch) -> Any:
        return simulate(system, model, part, tp=4, layers=1, interleaving="off")

    run(batch[:32])
    row = min((timed(run) for _ in range(2)), key=lambda each: each["cpu_s"])
    loops = {name: loop_seconds(source) for name, source in LOOPS.items()}
    return {"requests": "drawn" if requests is None else requests.name, **row, "loop_s": loops}


def cold_start() -> Row:
    """Seconds of the first call with nothing compiled, of the next process, and of `neupims --help`."""
    call = [sys.executable, "-c", "from traffic import first_call; print(first_call())"]
    with tempfile.TemporaryDirectory() as home:
        first, second = (float(_output(call, home)) for _ in range(2))
    start_up = min(_wall([sys.executable, "-m", "neupims", "--help"]) for _ in range(5))
    return {"first_call_cpu_s": first, "next_process_cpu_s": second, "help_wall_s": start_up}


def _output(command: list[str], home: str) -> str:
    environment = {**os.environ, "HOME": home}
    return subprocess.run(command, cwd=HERE, env=environment, check=True, capture_output=True, text=True).stdout


def _wall(command: list[str]) -> float:
    start = perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return perf_counter() - start


def default_job() -> Iterator[Row]:
    """CPU seconds of each system of `neupims compare`."""
    model, batch = load_model("gpt3-30b"), steady_batch("sharegpt", 256, 0)
    for name in SYSTEMS:
        system = load_system(name)
        yield {"system": name, **timed(lambda system=system: simulate(system, model, batch, tp=8))}


def measure(requests: Path | None) -> Row:
    return {
        "engine": list(engine_rates()),
        "whole_run": whole_run(requests),
        "cold_start": cold_start(),
        "default_job": list(default_job()),
    }


def lines(results: Row) -> Iterator[str]:
    """The results as tables in Markdown."""
    yield "| traffic | compiled, commands/s | interpreter, commands/s | ratio | commands per cycle |"
    yield "|---|---|---|---|---|"
    for row in results["engine"]:
        rates = f"{row['fast']:,.0f} | {row['reference']:,.0f} | {row['ratio']:.0f}"
        yield f"| {row['traffic']} | {rates} | {row['fast_per_cycle']:.2f} |"
    yield from ("", *whole_run_lines(results["whole_run"]), "")
    cold = results["cold_start"]
    yield from ("| cold start | |", "|---|---|")
    yield f"| first call with nothing compiled | {cold['first_call_cpu_s']:.1f} CPU s |"
    yield f"| the same in the next process | {cold['next_process_cpu_s']:.2f} CPU s |"
    yield f"| `neupims --help`, wall time | {cold['help_wall_s']:.2f} s |"
    yield from ("", "| system | CPU s | of it in the memory | commands simulated | commands/s | windows |")
    yield "|---|---|---|---|---|---|"
    for row in results["default_job"]:
        counts = f"{row['commands']:,} | {row['per_s']:,.0f} | {row['windows']:,}"
        yield f"| {row['system']} | {row['cpu_s']:.2f} | {row['memory_s']:.2f} | {counts} |"


def whole_run_lines(row: Row) -> Iterator[str]:
    yield "| one layer, GPT3-7B, TP 4, 512 requests, interleaving off, neupims-authors | |"
    yield "|---|---|"
    yield f"| requests | {row['requests']} |"
    yield f"| CPU seconds, of it in the memory | {row['cpu_s']:.2f}, {row['memory_s']:.2f} |"
    yield f"| commands, per CPU second | {row['commands']:,}, {row['per_s']:,.0f} |"
    yield f"| cycles, windows | {row['cycles']:,}, {row['windows']:,} |"
    for form, seconds in row["loop_s"].items():
        runs = f"{seconds:.2f} CPU s; the run is {row['cpu_s'] / seconds:.1f} of it"
        yield f"| {LOOP:,} additions in CPython, {form} level | {runs} |"
    for name, (seconds, loops) in PUBLISHED.items():
        ratios = ", ".join(f"{loops * loop / row['cpu_s']:.1f} by {form} loops" for form, loop in row["loop_s"].items())
        yield f"| published simulator, {name}: {seconds} CPU s, {loops} loops | times as long: {ratios} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--requests", type=Path, metavar="FILE", help="CSV of requests with seq_len and ch_idx")
    options = parser.parse_args()
    results = measure(options.requests)
    print(json.dumps(results, indent=2) if options.json else "\n".join(lines(results)))


if __name__ == "__main__":
    main()
