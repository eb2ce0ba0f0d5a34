import numpy as np
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from neupims.isa.address import AddressMap
from neupims.lowering.places import (
    Columns,
    Divided,
    Gathered,
    Panels,
    Ranges,
    RowMajor,
    TableRows,
    WeightBlocks,
    panels,
    panels_bytes,
    rectangles,
)

ADDRESS = AddressMap((("row", 4096), ("rank", 1), ("group", 2), ("bank", 2), ("column", 4), ("channel", 4)), 64)
EB = 2


def covered(ranges: Ranges) -> list[int]:
    """Numbers (not bytes) that the ranges hold, in order."""
    starts, sizes, _ = ranges
    assert np.all(starts % EB == 0)
    return [n for start, size in zip(starts, sizes, strict=True) for n in range(start // EB, (start + size) // EB)]


@st.composite
def matrices(draw: st.DrawFn) -> tuple[int, int, tuple[int, int, int, int]]:
    """Rows, columns, and a rectangle inside."""
    rows, columns = draw(st.integers(1, 20)), draw(st.integers(1, 40))
    top, left = draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))
    return rows, columns, (top, draw(st.integers(top + 1, rows)), left, draw(st.integers(left + 1, columns)))


def cells(rect: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    return [(row, column) for row in range(rect[0], rect[1]) for column in range(rect[2], rect[3])]


@examples(matrices())
def test_row_major_holds_the_cells_of_a_rectangle(matrix: tuple[int, int, tuple[int, int, int, int]]) -> None:
    _, width, rect = matrix
    place = RowMajor(ADDRESS, 640, width, EB)
    assert covered(place.ranges(np.array([rect]))) == [320 + row * width + column for row, column in cells(rect)]


@examples(matrices(), st.sampled_from([4, 8, 16]))
def test_panels_hold_the_cells_of_a_rectangle(matrix: tuple[int, int, tuple[int, int, int, int]], panel: int) -> None:
    tokens, features, rect = matrix
    place = panels(ADDRESS, 4096, (tokens, features), panel, EB)
    width = [min(panel, features - column // panel * panel) for column in range(features)]
    expected = [
        (4096 + column // panel * place.stride) // EB + row * width[column] + column % panel
        for row, column in cells(rect)
    ]
    assert sorted(covered(place.ranges(np.array([rect])))) == sorted(expected)


def test_a_whole_panel_is_one_piece() -> None:
    place = Panels(ADDRESS, 0, features=40, panel=16, stride=1024, element_bytes=EB)
    starts, sizes, owner = place.ranges(rectangles(2, 10, np.array([16, 0]), np.array([40, 16])))
    assert starts.tolist() == [1024 + 2 * 32, 2048 + 2 * 16, 2 * 32]
    assert sizes.tolist() == [8 * 32, 8 * 16, 8 * 32]
    assert owner.tolist() == [0, 0, 1]


def test_panels_start_in_the_first_channel() -> None:
    place = panels(ADDRESS, 0, (5, 100), 16, EB)
    assert place.stride % (4 * 64) == 0
    assert panels_bytes(place) == 7 * place.stride


@st.composite
def weights(draw: st.DrawFn) -> WeightBlocks:
    return WeightBlocks(
        ADDRESS,
        base=2048,
        inner=draw(st.integers(1, 20)),
        outputs=draw(st.integers(1, 40)),
        rows=draw(st.sampled_from([4, 8])),
        columns=draw(st.sampled_from([4, 8])),
        group=draw(st.integers(1, 3)),
        element_bytes=EB,
    )


@examples(weights())
def test_weight_blocks_fill_the_matrix_without_gap_or_overlap(place: WeightBlocks) -> None:
    everything = covered(place.ranges(np.array([[0, place.inner, 0, place.outputs]])))
    assert sorted(everything) == list(range(1024, 1024 + place.inner * place.outputs))


@examples(weights())
def test_streaming_a_group_strip_by_strip_is_sequential(place: WeightBlocks) -> None:
    span = place.group * place.columns
    strips = [
        (k, min(k + place.rows, place.inner), m, min(m + span, place.outputs))
        for m in range(0, place.outputs, span)
        for k in range(0, place.inner, place.rows)
    ]
    assert covered(place.ranges(np.array(strips))) == list(range(1024, 1024 + place.inner * place.outputs))


@examples(weights())
def test_outputs_partition_the_matrix_inside_their_blocks(place: WeightBlocks) -> None:
    every = [covered(place.output_ranges(np.array([output]))) for output in range(place.outputs)]
    assert sorted(cell for cells_ in every for cell in cells_) == list(range(1024, 1024 + place.inner * place.outputs))
    for output, held in enumerate(every):
        m = output // place.columns * place.columns
        block = covered(place.ranges(np.array([[0, place.inner, m, min(m + place.columns, place.outputs)]])))
        assert set(held) <= set(block)


@settings(max_examples=20)
@examples(weights(), st.data())
def test_table_rows_are_outputs(place: WeightBlocks, data: st.DataObject) -> None:
    row = data.draw(st.integers(0, place.outputs - 1))
    found = TableRows(place).runs(rectangles(row, row + 1, 0, place.inner), np.array([4]), False)
    starts, sizes, _ = place.output_ranges(np.array([row]))
    expected = ADDRESS.runs(starts, sizes, False, np.full(len(starts), 4))
    assert np.array_equal(found, expected)


def test_gathered_rows_are_those_of_the_place_behind() -> None:
    behind = RowMajor(ADDRESS, 0, 32, EB)
    found = Gathered(behind, np.array([7, 3, 9])).runs(rectangles(0, 2, 0, 32), np.array([1]), True)
    expected = behind.runs(rectangles(np.array([7, 3]), np.array([8, 4]), 0, 32), np.array([1, 1]), True)
    assert np.array_equal(found, expected)


def test_columns_are_those_of_the_place_behind() -> None:
    behind = panels(ADDRESS, 0, (9, 40), 16, EB)
    found = Columns(behind, 24).runs(rectangles(2, 5, 0, 16), np.array([1]), True)
    assert np.array_equal(found, behind.runs(rectangles(2, 5, 24, 40), np.array([1]), True))


def test_a_divided_matrix_has_its_columns_in_two_places() -> None:
    left, right = RowMajor(ADDRESS, 0, 24, EB), RowMajor(ADDRESS, 1 << 14, 40, EB)
    rects = rectangles(0, 2, np.array([0, 16, 32]), np.array([16, 32, 40]))
    found = Divided(left, right, border=24).runs(rects, np.arange(3), True)
    parts = [
        left.runs(rectangles(0, 2, 0, 16), np.array([0]), True),
        left.runs(rectangles(0, 2, 16, 24), np.array([1]), True),
        right.runs(rectangles(0, 2, 24, 32), np.array([1]), True),
        right.runs(rectangles(0, 2, 32, 40), np.array([2]), True),
    ]
    assert np.array_equal(found, np.concatenate(parts))
