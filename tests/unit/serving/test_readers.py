"""Request files: what is read, and what every wrong one is told."""

from pathlib import Path

import pytest

from neupims.errors import RequestError
from neupims.request import Batch, Request
from neupims.serving.readers import read_requests

TRACES = Path(__file__).parents[4] / "shared" / "data" / "neupims_traces"


def read(folder: Path, content: str | bytes) -> Batch:
    """Read a file of this content."""
    path = folder / "requests.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_requests(path)


def refused(folder: Path, content: str | bytes) -> str:
    """The sentence with which a file of this content is refused, without its folder."""
    with pytest.raises(RequestError) as error:
        read(folder, content)
    return str(error.value).removeprefix(f"{folder}/")


def test_requests_are_numbered_in_the_order_of_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, "seq_len\n300\n20\n") == (Request(0, 300), Request(1, 20))


def test_channels_are_read_if_there_is_a_column(tmp_path: Path) -> None:
    expected = (Request(0, 300, 26), Request(1, 20, 0))
    assert read(tmp_path, "seq_len,ch_idx\n300,26\n20,0\n") == expected
    assert read(tmp_path, "ch_idx,seq_len\n26,300\n0,20\n") == expected


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfseq_len,ch_idx\n300,2\n20,3\n",
        b"seq_len,ch_idx\r\n300,2\r\n20,3\r\n",
        b"seq_len,ch_idx\r300,2\r20,3",
        b"\n\n seq_len , ch_idx \n\n 300 ,\t2\n   \n,\n20,3\n\n",
        b'"seq_len","ch_idx"\n"300","2"\n+20,3\n',
        b"seq_len,ch_idx\n0300,02\n20,3",
    ],
)
def test_marks_blank_lines_spaces_and_line_ends_do_not_matter(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path, content) == (Request(0, 300, 2), Request(1, 20, 3))


HINT = "the first line names the columns: seq_len and, if wanted, ch_idx"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "requests.csv: empty; a request file is CSV with a column seq_len"),
        ("\n \n", "requests.csv: empty; a request file is CSV with a column seq_len"),
        ("seq_len\n\n", "requests.csv: no requests under the header; give one seq_len a line"),
        ("300\n20\n", f"requests.csv:1: seq_len: no such column in the header '300'; {HINT}"),
        (
            "\nseqlen,ch_idx\n300,1\n",
            f"requests.csv:2: seq_len: no such column in the header 'seqlen,ch_idx', "
            f"did you mean it by 'seqlen'?; {HINT}",
        ),
        ("seq_len;ch_idx\n1;2\n", f"requests.csv:1: seq_len: no such column in the header 'seq_len;ch_idx'; {HINT}"),
        ("seq_len,ch_ix\n300,1\n", "requests.csv:1: ch_ix: unknown column; allowed: seq_len, ch_idx"),
        ("seq_len,seq_len\n1,1\n", "requests.csv:1: seq_len: the header names this column 2 times"),
        ("seq_len\n\n12.5\n", "requests.csv:3: seq_len: '12.5' is not an integer"),
        ("seq_len\nlong\n", "requests.csv:2: seq_len: 'long' is not an integer"),
        ("seq_len\n1_000\n", "requests.csv:2: seq_len: '1_000' is not an integer"),
        ("seq_len\n٣\n", "requests.csv:2: seq_len: '٣' is not an integer"),
        ("seq_len,ch_idx\n,3\n", "requests.csv:2: seq_len: '' is not an integer"),
        ("seq_len,ch_idx\n300,\n", "requests.csv:2: ch_idx: '' is not an integer"),
        ("seq_len\n0\n", "requests.csv:2: seq_len: 0 is less than 1"),
        ("seq_len\n5\n-3\n", "requests.csv:3: seq_len: -3 is less than 1"),
        ("seq_len,ch_idx\n5,-1\n", "requests.csv:2: ch_idx: -1 is less than 0"),
        ("seq_len\n" + "9" * 5000, f"requests.csv:2: seq_len: {'9' * 40}... has more than 15 digits"),
        ("seq_len\n" + "x" * 99, f"requests.csv:2: seq_len: '{'x' * 40}...' is not an integer"),
        ("seq_len,ch_idx\n5\n", "requests.csv:2: 1 values under the 2 columns seq_len, ch_idx"),
        ("seq_len\n5,6\n", "requests.csv:2: 2 values under the 1 columns seq_len"),
        (
            b"\x89PNG\r\n\x1a\n\x00\xff\xfe",
            "requests.csv: not text in UTF-8; a request file is CSV with a column seq_len",
        ),
        (b"seq_len\n5\x00\n", "requests.csv: holds zero bytes; a request file is CSV with a column seq_len"),
        (
            "seq_len\n" + "5" * 200_000,
            "requests.csv:2: not a line of a CSV file: field larger than field limit (131072)",
        ),
    ],
)
def test_a_wrong_file_has_its_sentence(tmp_path: Path, content: str | bytes, problem: str) -> None:
    assert refused(tmp_path, content) == problem


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as error:
        read_requests(tmp_path / "no.csv")
    assert str(error.value) == f"{tmp_path}/no.csv: cannot be read: No such file or directory"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as error:
        read_requests(str(tmp_path))
    assert str(error.value) == f"{tmp_path}: cannot be read: Is a directory"


@pytest.mark.skipif(not TRACES.is_dir(), reason=f"the published traces are not at {TRACES}")
@pytest.mark.parametrize(("name", "size"), [("share-gpt2-bs512-ms7B-tp4-clb-0.csv", 512), ("u512_b64.csv", 64)])
def test_published_traces_are_read(name: str, size: int) -> None:
    batch = read_requests(TRACES / name)
    assert [request.id for request in batch] == list(range(size))
    assert all(request.length >= 1 and request.channel is not None for request in batch)
    assert {request.channel for request in batch} <= set(range(32))
