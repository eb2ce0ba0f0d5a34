"""Distances between ordinary commands by JEDEC name. Bank 1 shares the group of 0, 4 its rank; 16 is in the other."""

import pytest

SYSTEMS = pytest.mark.parametrize(
    "system", ["npu-only", "npu-only-authors", "neupims", "neupims-authors", "npu-pim", "npu-pim-authors"]
)


@SYSTEMS
def test_reads_and_writes_wait_trcd_after_activate(channel, system):
    probe = channel(system)
    probe.issue("ACT", bank=0)
    probe.assert_tight("RD", bank=0, at=probe.t["tRCD"])
    probe.assert_tight("WR", bank=0, at=probe.t["tRCDWR"])


@SYSTEMS
def test_a_row_stays_open_for_tras_and_its_cycle_takes_trc(channel, system):
    probe = channel(system)
    probe.issue("ACT", bank=0)
    probe.assert_tight("PRE", bank=0, at=probe.t["tRAS"])
    probe.assert_tight("ACT", bank=0, at=probe.t["tRAS"] + probe.t["tRP"])


@SYSTEMS
def test_activates_of_two_banks_wait_trrd(channel, system):
    probe = channel(system)
    probe.issue("ACT", bank=0)
    probe.assert_tight("ACT", bank=1, at=probe.t["tRRD_L"])
    probe.assert_tight("ACT", bank=4, at=probe.t["tRRD_S"])
    probe.assert_tight("ACT", bank=16, at=0)


@SYSTEMS
def test_precharge_holds_up_activate_and_refresh_for_trp(channel, system):
    probe = channel(system)
    probe.issue("PRE", bank=3)
    probe.assert_tight("ACT", bank=3, at=probe.t["tRP"])
    probe.assert_tight("ACT", bank=2, at=0)
    probe.assert_tight("REF", bank=0, at=probe.t["tRP"])
    probe.assert_tight("REF", bank=16, at=0)


@SYSTEMS
def test_refresh_keeps_its_rank_busy_for_trfc(channel, system):
    probe = channel(system)
    probe.issue("REF", bank=16)
    for bank in range(16, 32):
        probe.assert_tight("ACT", bank=bank, at=probe.t["tRFC"])
    probe.assert_tight("REF", bank=16, at=probe.t["tRFC"])
    probe.assert_tight("ACT", bank=0, at=0)


@SYSTEMS
def test_reads_keep_the_column_gap_and_the_bus(channel, system):
    probe = channel(system)
    probe.issue("RD", bank=0)
    probe.assert_tight("RD", bank=1, at=max(probe.t["tBURST"], probe.t["tCCD_L"]))
    probe.assert_tight("RD", bank=4, at=max(probe.t["tBURST"], probe.t["tCCD_S"]))
    probe.assert_tight("RD", bank=16, at=probe.t["tBURST"] + probe.t["tRTRS"])
    probe.assert_tight("PRE", bank=0, at=probe.t["tRTP"])


@SYSTEMS
@pytest.mark.parametrize("bank", [0, 1, 4, 16])
def test_a_write_lets_the_read_data_pass(channel, system, bank):
    probe = channel(system)
    probe.issue("RD", bank=0)
    data_end = probe.t["tCL"] + probe.t["tBURST"]
    probe.assert_tight("WR", bank=bank, at=data_end + probe.t["tRTRS"] - probe.t["tCWL"])


@SYSTEMS
def test_a_read_waits_twtr_after_the_write_data(channel, system):
    probe = channel(system)
    probe.issue("WR", bank=0)
    data_end = probe.t["tCWL"] + probe.t["tBURST"]
    probe.assert_tight("RD", bank=1, at=data_end + probe.t["tWTR_L"])
    probe.assert_tight("RD", bank=4, at=data_end + probe.t["tWTR_S"])
    probe.assert_tight("RD", bank=16, at=max(0, data_end + probe.t["tRTRS"] - probe.t["tCL"]))
    probe.assert_tight("PRE", bank=0, at=data_end + probe.t["tWR"])


@SYSTEMS
def test_four_activates_in_a_window_of_tfaw(channel, system):
    probe = channel(system)
    gap = probe.t["tRRD_S"]
    for step in range(4):
        probe.issue("ACT", bank=4 * step, at=gap * step)
    probe.assert_tight("ACT", bank=1, at=probe.t["tFAW"])
    probe.issue("ACT", bank=1, at=probe.t["tFAW"])
    probe.assert_tight("ACT", bank=5, at=gap + probe.t["tFAW"])
    probe.assert_tight("ACT", bank=16, at=0)


@SYSTEMS
def test_three_activates_do_not_fill_the_window(channel, system):
    probe = channel(system)
    for step in range(3):
        probe.issue("ACT", bank=4 * step, at=probe.t["tRRD_S"] * step)
    probe.assert_tight("ACT", bank=12, at=3 * probe.t["tRRD_S"])
