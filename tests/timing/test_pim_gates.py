"""Distances around PIM commands by name. Bank 1 shares the group of 0, 4 its rank; 16 is in the other."""

import pytest

DUAL = pytest.mark.parametrize("system", ["neupims", "neupims-authors"])
SINGLE = pytest.mark.parametrize("system", ["npu-pim", "npu-pim-authors"])
BOTH = pytest.mark.parametrize("system", ["neupims", "neupims-authors", "npu-pim", "npu-pim-authors"])


@BOTH
@pytest.mark.parametrize("name", ["PIM_GEMV", "PIM_MAC"])
def test_macs_wait_trcd_after_a_group_activate(channel, system, name):
    probe = channel(system)
    probe.issue("PIM_ACT", bank=12)
    probe.assert_tight(name, at=probe.t["tRCD"])


@BOTH
def test_group_activates_of_a_rank_are_tfaw_apart(channel, system):
    probe = channel(system)
    probe.issue("PIM_ACT", bank=0)
    probe.assert_tight("PIM_ACT", bank=4, at=probe.t["tFAW"])
    probe.assert_tight("PIM_ACT", bank=0, at=probe.t["tRC"])
    probe.assert_tight("PIM_ACT", bank=16, at=0)


@pytest.mark.parametrize("system", ["neupims", "npu-pim"])
def test_a_group_activate_counts_as_four_in_a_shared_window(channel, system):
    probe = channel(system)
    probe.issue("PIM_ACT", bank=0)
    probe.assert_tight("ACT", bank=4, at=probe.t["tFAW"])
    probe.assert_tight("ACT", bank=16, at=0)


@pytest.mark.parametrize("system", ["neupims", "npu-pim"])
def test_a_group_activate_needs_the_whole_shared_window(channel, system):
    """One ordinary activate in the last tFAW cycles is one too many beside four."""
    probe = channel(system)
    probe.issue("ACT", bank=0, at=0)
    probe.issue("ACT", bank=8, at=7)
    probe.assert_tight("PIM_ACT", bank=4, at=7 + probe.t["tFAW"])


@pytest.mark.parametrize("system", ["neupims-authors", "npu-pim-authors"])
def test_separate_windows_leave_trrd_between_the_two_kinds(channel, system):
    probe = channel(system)
    probe.issue("ACT", bank=0)
    probe.assert_tight("PIM_ACT", bank=4, at=probe.t["tRRD_S"])


@DUAL
def test_a_read_does_not_wait_for_the_pim_row(channel, system):
    """The point of a second row buffer: its group activate costs the first one nothing."""
    probe = channel(system)
    probe.issue("ACT", bank=0)
    probe.issue("PIM_ACT", bank=0, at=probe.t["tRRD_L"])
    probe.assert_tight("RD", bank=0, at=probe.t["tRCD"])
    probe.assert_tight("WR", bank=0, at=probe.t["tRCDWR"])
    probe.assert_tight("PRE", bank=0, at=probe.t["tRAS"])


def test_a_read_waits_for_the_row_in_blocked_mode(channel):
    """One row buffer: the group activate has opened the row that the read would use."""
    probe = channel("npu-pim")
    probe.issue("PIM_ACT", bank=0)
    for bank in range(4):
        probe.assert_tight("RD", bank=bank, at=probe.t["tRCD"])
        probe.assert_tight("PRE", bank=bank, at=probe.t["tRAS"])
        probe.assert_tight("ACT", bank=bank, at=probe.t["tRC"])
    probe.assert_tight("RD", bank=4, at=0)


def test_a_group_activate_waits_for_the_row_in_blocked_mode(channel):
    """All four banks of the group must be ready, so the one closed last decides."""
    probe = channel("npu-pim")
    probe.issue("PRE", bank=0, at=0)
    probe.issue("PRE", bank=3, at=9)
    probe.assert_tight("PIM_ACT", bank=0, at=9 + probe.t["tRP"])


def test_published_group_activate_ignores_trp(channel):
    probe = channel("npu-pim-authors")
    probe.issue("PRE", bank=0)
    probe.assert_tight("PIM_ACT", bank=0, at=0)


@DUAL
def test_pim_rows_keep_tras_and_trp(channel, system):
    probe = channel(system)
    probe.issue("PIM_ACT", bank=4)
    for bank in range(4, 8):
        probe.assert_tight("PIM_PRE", bank=bank, at=probe.t["tRAS"])
    probe.issue("PIM_PRE", bank=8, at=100)
    probe.assert_tight("REF", bank=0, at=100 + probe.t["tRP"])
    probe.assert_tight("ACT", bank=8, at=probe.t["tFAW"])


@DUAL
def test_a_group_activate_waits_trp_after_the_last_pim_precharge(channel, system):
    """Published: one bank of the group that is ready will do."""
    probe = channel(system)
    for bank in range(4):
        probe.issue("PIM_PRE", bank=bank, at=bank)
    decisive = 0 if system == "neupims-authors" else 3
    probe.assert_tight("PIM_ACT", bank=0, at=decisive + probe.t["tRP"])


@BOTH
@pytest.mark.parametrize("n", [1, 6, 8, 32])
def test_gemvs_follow_each_other_at_the_pace_of_their_macs(channel, system, n):
    """The adder tree sets a least length; one more step reads the result."""
    probe = channel(system)
    probe.issue("PIM_GEMV", n=n)
    probe.assert_tight("PIM_GEMV", at=probe.t["tMAC"] * (max(n, probe.t["nTREE"]) + 1))


@pytest.mark.parametrize("n", [1, 8, 32])
def test_rows_stay_open_for_the_macs_of_a_gemv(channel, n):
    probe = channel("neupims")
    probe.issue("PIM_GEMV", n=n)
    released = probe.t["tMAC"] * (max(n, probe.t["nTREE"]) + 1)
    probe.assert_tight("PIM_PRE", bank=9, at=released + probe.t["tRTP"])
    probe.assert_tight("PIM_ACT", bank=0, at=released + probe.t["tRTP"] + probe.t["tRP"])
    probe.assert_tight("PIM_GWRITE", bank=0, at=released)


@pytest.mark.parametrize("n", [1, 8, 32])
def test_published_gemv_lets_go_of_its_rows_at_issue(channel, n):
    probe = channel("neupims-authors")
    probe.issue("PIM_GEMV", n=n)
    probe.assert_tight("PIM_PRE", bank=9, at=probe.t["tRTP"])
    probe.assert_tight("PIM_ACT", bank=0, at=probe.t["tRTP"] + probe.t["tRP"])
    probe.assert_tight("PIM_GWRITE", bank=0, at=probe.t["tCCDO"])
    probe.assert_tight("RD", bank=0, at=probe.t["tBURST"] + probe.t["tRTRS"])


@pytest.mark.parametrize("n", [1, 8, 32])
def test_reads_keep_clear_of_a_result_on_the_data_bus(channel, n):
    """Reads may issue while a GEMV computes, except where their data would meet its result's burst."""
    probe = channel("neupims")
    probe.issue("PIM_GEMV", n=n)
    result = probe.t["tMAC"] * max(n, probe.t["nTREE"])
    apart = probe.t["tBURST"] + probe.t["tRTRS"]
    dark = [cycle for cycle in range(result + 40) if not probe.ready("RD", 20, cycle)]
    assert dark == list(range(result - apart + 1, result + apart))


def test_a_new_result_does_not_uncover_the_last_one(channel):
    """A second GEMV may issue inside the dark span of the first; what is left of that span stays dark."""
    probe = channel("neupims")
    probe.issue("PIM_GEMV", n=6, at=0)
    second = probe.t["tMAC"] * (6 + 1)
    probe.issue("PIM_GEMV", n=32, at=second)
    apart = probe.t["tBURST"] + probe.t["tRTRS"]
    first = probe.t["tMAC"] * 6
    assert not probe.ready("RD", 0, first + apart - 1)
    assert probe.ready("RD", 0, first + apart)


@BOTH
def test_gwrite_keeps_its_bank_and_the_vector_buffer(channel, system):
    probe = channel(system)
    probe.issue("PIM_GWRITE", bank=0)
    for name in ("RD", "WR", "PRE"):
        probe.assert_tight(name, bank=0, at=probe.t["tGWRITE"])
    probe.assert_tight("RD", bank=4, at=probe.t["tCCDO"])
    probe.assert_tight("WR", bank=4, at=probe.t["tRTW"])
    for name in ("PIM_GWRITE", "PIM_MAC", "PIM_READ", "PIM_GEMV"):
        probe.assert_tight(name, bank=20, at=probe.t["tGWRITE"])


@pytest.mark.parametrize("system", ["npu-pim", "neupims"])
def test_a_group_of_macs_waits_for_the_adder_tree(channel, system):
    """The first MAC of a group fixes the first cycle of its result, each later one leaves a step's time."""
    probe = channel(system)
    probe.issue("PIM_MAC", n=1, at=0)
    probe.assert_tight("PIM_MAC", at=probe.t["tMAC"])
    probe.assert_tight("PIM_READ", at=probe.t["nTREE"] * probe.t["tMAC"])
    probe.issue("PIM_MAC", n=0, at=probe.t["tTREE"])
    probe.assert_tight("PIM_READ", at=probe.t["tTREE"] + probe.t["tMAC"])


def test_published_adder_tree_fills_at_the_short_column_gap(channel):
    probe = channel("npu-pim-authors")
    probe.issue("PIM_MAC", n=1)
    probe.assert_tight("PIM_READ", at=probe.t["nTREE"] * probe.t["tCCD_S"])


@SINGLE
@pytest.mark.parametrize("name", ["PIM_MAC", "PIM_READ"])
def test_rows_stay_open_trtp_after_macs_in_blocked_mode(channel, system, name):
    probe = channel(system)
    probe.issue(name)
    probe.assert_tight("PRE", bank=17, at=probe.t["tRTP"])
    probe.assert_tight("WR", bank=17, at=probe.t["tRTW"])


@pytest.mark.parametrize("name", ["PIM_GEMV", "PIM_MAC", "PIM_READ"])
def test_column_gaps_to_all_banks_are_the_longer_ones(channel, name):
    probe = channel("neupims")
    probe.issue("RD", bank=0)
    probe.assert_tight(name, at=probe.t["tBURST"] + probe.t["tRTRS"] if name == "PIM_READ" else probe.t["tCCDR"])
    probe = channel("neupims")
    probe.issue("WR", bank=0)
    probe.assert_tight(name, at=probe.t["tCWL"] + probe.t["tBURST"] + probe.t["tWTR_L"])
