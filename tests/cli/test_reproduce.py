"""`neupims reproduce` as the shell sees it; what it runs takes minutes and is tested in parts."""

from pathlib import Path


def test_a_folder_without_the_sweeps_has_its_sentence(neupims):
    Path("here").mkdir()
    result = neupims("reproduce", "here")
    assert result.code == 1
    assert result.err.startswith("here/throughput.yaml: no such file; here must hold the sweeps throughput, ablation")
