import pytest

from neupims.results.digest import digest


def test_the_order_of_keys_does_not_matter():
    assert digest({"a": 1, "b": [2, None]}) == digest({"b": [2, None], "a": 1})


@pytest.mark.parametrize("other", [{"a": 2}, {"a": "1"}, {"a": [1]}, {"b": 1}, {}])
def test_content_matters(other):
    assert digest({"a": 1}) != digest(other)


def test_it_is_the_sha256_of_the_canonical_text():
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_nan_has_no_digest():
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest(float("nan"))
