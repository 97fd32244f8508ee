"""Bad files: every data line is a job or a numbered exclusion; strictly read, the first bad line is an error."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.model.errors import ValidationError
from petahour.simulator.readers import ReadOptions, read_trace

HEADER = b"timestamp,duration,num_gpus,gpu_time,cluster,job_id\n"
GOOD = b"0,60,1,60,a,good\n"
LAST = b"9,60,1,60,a,last\n"

BAD = {
    "text for a duration": (b"1,soon,1,1,a,x", "duration is not a number (got 'soon')"),
    "blank duration": (b"1,,1,1,a,x", "duration is not a number (got '')"),
    "negative duration": (b"1,-5,1,1,a,x", "duration is negative (got '-5')"),
    "nan": (b"1,NaN,1,1,a,x", "duration is not a finite number (got 'NaN')"),
    "infinity": (b"1,inf,1,1,a,x", "duration is not a finite number (got 'inf')"),
    "too large": (b"1,1e300,1,1,a,x", "duration is more than 1000000000000 s (got '1e300')"),
    "large whole number": (b"1," + b"9" * 5000 + b",1,1,a,x", "duration is not a finite number"),
    "digits apart": (b"1,1_000,1,1,a,x", "duration is not a finite number (got '1_000')"),
    "negative time": (b"-1,5,1,1,a,x", "timestamp is negative (got '-1')"),
    "no date": (b"2021-99-01 00:00:00,5,1,1,a,x", "timestamp is not a date"),
    "a date among seconds": (b"2021-01-01 00:00:00,5,1,1,a,x", "timestamp counts dates without an offset where"),
    "part of an accelerator": (b"1,5,0.5,1,a,x", "num_gpus is not a whole number (got '0.5')"),
    "no accelerator": (b"1,5,0,1,a,x", "accelerators are none"),
    "absurd gang": (b"1,5,100001,1,a,x", "num_gpus is more than 100000 (got '100001')"),
    "blank tenant": (b"1,5,1,1, ,x", "cluster is blank"),
    "blank id": (b"1,5,1,1,a,", "job_id is blank"),
    "an id again": (b"1,5,1,1,a,good", "id names a job of an earlier line (got 'good')"),
    "too few columns": (b"1,5,1", "line has 3 columns where 6 belong"),
    "too many columns": (b"1,5,1,1,a,x,y", "line has 7 columns where 6 belong"),
    "an open quote": (b'1,5,1,1,"a,x', "line is no row of a CSV file"),
    "other bytes": (b"1,5,1,1,caf\xe9,x", "line is not UTF-8 text at its character 12"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_costs_itself_alone(tmp_path: Path, case: str) -> None:
    line, reason = BAD[case]
    path = tmp_path / "trace.csv"
    path.write_bytes(HEADER + GOOD + line + b"\n" + LAST)
    trace = read_trace(path, "philly", ReadOptions())
    assert [(job.row, job.id) for job in trace.jobs] == [(0, "good"), (1, "last")]
    assert [item.line for item in trace.excluded] == [3]
    assert trace.excluded[0].reason.startswith(reason)
    with pytest.raises(ValidationError) as caught:
        read_trace(path, "philly", ReadOptions(strict=True))
    assert caught.value.field.startswith(f"{path}, line 3, ")
    field = caught.value.field.rsplit(", ", 1)[1]
    assert trace.excluded[0].reason.startswith(f"{field} {caught.value.rule}")
    assert caught.value.remedy


def test_quotes_blank_lines_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(b"\xef\xbb\xbf" + HEADER.replace(b"\n", b"\r\n") + b'\r\n"0","60","1",60,"a, ""b""",x\r\n  \r\n')
    trace = read_trace(path, "philly", ReadOptions(strict=True))
    assert [(job.tenant, job.id) for job in trace.jobs] == [('a, "b"', "x")]


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "day.csv.gz"
    path.write_bytes(gzip.compress(HEADER + GOOD))
    trace = read_trace(path, "philly", ReadOptions())
    assert (trace.name, len(trace.jobs)) == ("day", 1)
    other = tmp_path / "day.csv"
    other.write_bytes(path.read_bytes())
    assert read_trace(other, "philly", ReadOptions()).jobs == trace.jobs


def test_half_a_gzip_is_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "day.csv.gz"
    whole = gzip.compress(HEADER + b"".join(b"%d,60,1,60,a,j%d\n" % (n, n * n * 7919) for n in range(5_000)))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValidationError, match="compressed data is damaged"):
        read_trace(path, "philly", ReadOptions())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (HEADER, "holds no job"),
        (HEADER + b"x,1,1,1,a,b\n", "holds no job: line 2: timestamp is not a number"),
        (GOOD, "lacks the column `timestamp`"),
        (b"timestamp,duration\n1,2\n", "lacks the column `num_gpus`"),
        (b"timestamp,duration,duration,num_gpus,cluster\n", "has the column `duration` twice"),
        ("timestamp,duration\n".encode("utf-16"), "header: line is not UTF-8"),
    ],
)
def test_a_file_without_jobs_is_an_error(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(content)
    with pytest.raises(ValidationError) as caught:
        read_trace(path, "philly", ReadOptions())
    assert words in str(caught.value)
    assert str(path) in caught.value.field


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be read"):
        read_trace(tmp_path / name, "philly", ReadOptions())


LINES = st.lists(
    st.one_of(
        st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b"")),
        st.text('0123456789.,-e"n ', max_size=20).map(str.encode),
        st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 9)).map(
            lambda row: b"%d,%d,%d,1,a" % row  # a job when its last number is not 0
        ),
    ),
    max_size=20,
)


@given(LINES)
@settings(max_examples=200, deadline=None)
def test_every_data_line_is_a_job_or_an_exclusion(
    tmp_path_factory: pytest.TempPathFactory, rows: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("trace") / "trace.csv"
    path.write_bytes(b"timestamp,duration,num_gpus,gpu_time,cluster\n" + b"\n".join([*rows, b"7,7,7,49,a"]))
    trace = read_trace(path, "philly", ReadOptions())
    data = [line for line, row in enumerate([*rows, b"x"], 2) if row.decode("utf-8", "surrogateescape").strip()]
    assert len(trace.jobs) + len(trace.excluded) == len(data)
    assert {item.line for item in trace.excluded} < set(data)
    assert sorted(job.row for job in trace.jobs) == list(range(len(trace.jobs)))
    assert [(job.submit_ms, job.row) for job in trace.jobs] == sorted((job.submit_ms, job.row) for job in trace.jobs)
    assert min(job.submit_ms for job in trace.jobs) == 0
