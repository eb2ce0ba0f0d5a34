"""Keys by which the agenda orders what happens in a device at one time: the smaller, the earlier."""

STEP, OPERATOR, LOADER, REQUEST = range(4)
"""Rows and results arrive; operators end; loads are chosen; requests reach the memory."""

ROWS_OF_NPU, LOGIT_RESULT, ATTEND_RESULT = ((STEP, which) for which in range(3))
VECTOR_UNIT, NEXT_ROW, NEXT_STORE = ((STEP, which) for which in range(3, 6))
END_OF_NPU, END_OF_PIM = (OPERATOR, 0), (OPERATOR, 1)
