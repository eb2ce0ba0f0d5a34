import pytest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Every page runs in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
