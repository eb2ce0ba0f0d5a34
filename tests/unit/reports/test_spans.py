import io

from rich.console import Console

from neupims.reports.spans import command_rows, command_table, duration_line, operator_table


def lines(table) -> list[list[str]]:
    text = io.StringIO()
    Console(file=text, width=120).print(table)
    return [line.split() for line in text.getvalue().splitlines()[1:]]


def test_operators_stand_below_their_stage(handmade):
    run = handmade()
    shown = lines(operator_table(run))
    assert len(shown) == len(run.stages) + len(run.operators)
    stages = [line for line in shown if line[0] == "stage"]
    assert stages[2] == ["stage", "C", "47×", "210.00", "280.00", "µs"]
    assert shown[1][:5] == ["layer0.norm1", "vector", "0.00", "3.75", "µs"]


def test_commands_have_counts_and_energy(handmade):
    rows = command_rows(handmade())
    assert rows[0] == {"command": "ACT", "count": 1000, "energy_mj": 10.0}
    assert {row["command"]: row["energy_mj"] for row in rows}["PIM_GEMV"] is None
    shown = lines(command_table(handmade(iteration_ps=2_000_000)))
    assert shown[0] == ["ACT", "1,000", "500.0", "10", "mJ"]


def test_the_iteration_is_one_line(handmade):
    assert duration_line(handmade(iteration_ps=1_234_567_890)) == "neupims: one iteration takes 1.235 ms"
