"""Each format: its columns, units and what it leaves out, on samples made for the test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from petahour.model.errors import ValidationError
from petahour.simulator.readers import FORMATS, ReadOptions, out_of_order, read_trace
from petahour.simulator.trace import Trace


def read(tmp_path: Path, form: str, text: str, **options: object) -> Trace:
    path = tmp_path / "sample.txt"
    path.write_text(text, "utf-8")
    return read_trace(path, form, ReadOptions(**options))  # type: ignore[arg-type]


def brief(trace: Trace) -> list[tuple[int, str, str, int, int, int]]:
    return [(j.row, j.id, j.tenant, j.submit_ms, j.duration_ms, j.accelerators) for j in trace.jobs]


PHILLY = "timestamp,duration,num_gpus,gpu_time,cluster\n"


def test_philly_in_seconds(tmp_path: Path) -> None:
    trace = read(tmp_path, "philly", PHILLY + "100,60,8,480,a\n100,0,1,0,b\n103.5,7.25,2,14.5,a\n")
    assert brief(trace) == [
        (0, "0", "a", 0, 60_000, 8),
        (1, "1", "b", 0, 0, 1),
        (2, "2", "a", 3_500, 7_250, 2),
    ]
    assert trace.name == "sample"
    assert not trace.excluded


@pytest.mark.parametrize(
    ("first", "second", "apart_ms"),
    [
        ("2021-03-31 23:59:58", "2021-04-01 00:00:01", 3_000),
        ("2021-03-31T23:59:58", "2021-04-01T00:00:01.250", 3_250),
        ("2021-03-31 23:59:58+08:00", "2021-03-31T16:00:01Z", 3_000),
        ("2021/03/31 23:59:58", "2021/4/1 0:00:01", 3_000),
        ("2021-03-31 23:59:58 UTC", "2021-04-01 00:00:01 UTC", 3_000),
        ("2021-03-28 01:30:00", "2021-03-28 03:30:00", 7_200_000),  # an hour that some zones leave out
    ],
)
def test_philly_dates(tmp_path: Path, first: str, second: str, apart_ms: int) -> None:
    trace = read(tmp_path, "philly", PHILLY + f"{first},60,1,60,a\n{second},60,1,60,a\n")
    assert [job.submit_ms for job in trace.jobs] == [0, apart_ms]


def test_philly_columns_in_any_order_and_more_of_them(tmp_path: Path) -> None:
    text = "cluster, Num_GPUs ,user,duration,job_id,timestamp,name\nc1,4,u,10,j-7,5,train\nc2,1,u,10,j-8,5,\n"
    trace = read(tmp_path, "philly", text)
    assert brief(trace) == [(0, "j-7", "c1", 0, 10_000, 4), (1, "j-8", "c2", 0, 10_000, 1)]
    assert [job.name for job in trace.jobs] == ["train", ""]


def test_philly_single_vc_needs_no_cluster(tmp_path: Path) -> None:
    trace = read(tmp_path, "philly", "timestamp,duration,num_gpus\n0,1,1\n", single_vc=True)
    assert trace.jobs[0].tenant == "vc"
    trace = read(tmp_path, "philly", PHILLY + "0,1,1,1,\n0,1,1,1,x\n", single_vc=True)
    assert {job.tenant for job in trace.jobs} == {"vc"}
    with pytest.raises(ValidationError, match="lacks the column `cluster`"):
        read(tmp_path, "philly", "timestamp,duration,num_gpus\n0,1,1\n")


def test_philly_sorts_and_keeps_file_order_within_an_instant(tmp_path: Path) -> None:
    rows = ["9,1,1,1,a", "4,2,1,2,a", "9,3,1,3,a", "4,4,1,4,a", "x,1,1,1,a", "4,5,1,5,a"]
    trace = read(tmp_path, "philly", PHILLY + "\n".join(rows) + "\n")
    assert [(job.row, job.submit_ms) for job in trace.jobs] == [(1, 0), (3, 0), (4, 0), (0, 5_000), (2, 5_000)]
    assert [item.line for item in trace.excluded] == [6]
    assert out_of_order(trace) == 3
    with pytest.raises(ValidationError, match=r"line 3, submit time: is earlier than the line before it"):
        read(tmp_path, "philly", PHILLY + "\n".join(rows) + "\n", strict=True)


def test_helios(tmp_path: Path) -> None:
    text = (
        "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue\n"
        "11,u1,vA,8,32,1,COMPLETED,2020-05-01 10:00:00,2020-05-01 10:01:00,2020-05-01 10:02:00,60,60\n"
        "12,u2,vB,0,16,1,COMPLETED,2020-05-01 10:00:01,2020-05-01 10:01:00,2020-05-01 10:02:00,60,59\n"
        "13,u2,vB,16,16,2,FAILED,2020-05-01 10:00:02,2020-05-01 10:00:02,2020-05-01 10:00:02,0,0\n"
    )
    trace = read(tmp_path, "helios", text)
    assert brief(trace) == [(0, "11", "vA", 0, 60_000, 8), (1, "13", "vB", 2_000, 0, 16)]
    assert [(item.line, item.reason) for item in trace.excluded] == [
        (3, "accelerators are none: the job runs on the host's cores alone")
    ]
    assert [job.name for job in trace.jobs] == ["u1", "u2"]


def test_acme_takes_the_run_without_the_wait(tmp_path: Path) -> None:
    text = (
        "job_id,user,node_num,gpu_num,cpu_num,type,state,submit_time,start_time,end_time,duration,queue,gpu_time\n"
        "a,u1,2,16,8,SFT,X,2023-05-01 00:00:00+00:00,2023-05-01 00:00:10+00:00,2023-05-01 00:01:10+00:00,70,10,1\n"
        "b,u1,1,8,8,Eval,FAILED,2023-05-01 08:00:01+08:00,,,33,0,1\n"
        "c,u1,1,8,8,Eval,CANCELLED,2023-05-01 00:00:02+00:00,,,,0,1\n"
        "d,u1,1,8,8,Eval,FAILED,2023-05-01 00:00:00+00:00,2023-05-01 00:01:10+00:00,2023-05-01 00:00:10+00:00,7,1,1\n"
    )
    trace = read(tmp_path, "acme", text)
    assert brief(trace) == [(0, "a", "u1", 0, 60_000, 16), (1, "b", "u1", 1_000, 33_000, 8)]
    assert [job.name for job in trace.jobs] == ["SFT", "Eval"]
    assert [(item.line, item.reason.split(" (")[0]) for item in trace.excluded] == [
        (4, "start_time is blank: the job never ran"),
        (5, "end_time is earlier than start_time"),
    ]


PODS = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"
)


def test_openb_pods_and_hosts(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.csv"
    hosts.write_text("sn,cpu_milli,memory_mib,gpu,model\nh1,64000,1024,2,P1\nh2,9,9,0,\nh3,64000,1024,8,Q1\n")
    pods = PODS + (
        "p1,4000,512,1,460,,LS,Running,10,100,20\n"
        "p2,4000,512,2,1000,Q1|P1|Q1,BE,Pending,15,100,\n"
        "p3,4000,512,0,0,,BE,Running,15,100,15\n"
        "p4,4000,512,1,1000,Z9,BE,Running,15,100,15\n"
        "p5,4000,512,1,0,,BE,Running,15,100,15\n"
        "p6,4000,512,1,1000,,BE,Running,15,100,101\n"
    )
    trace = read(tmp_path, "openb", pods, nodes=hosts)
    assert brief(trace) == [(0, "p1", "vc", 0, 80_000, 1), (1, "p2", "vc", 5_000, 85_000, 2)]
    first, second = trace.jobs
    assert (first.share_milli, first.cpu_milli, first.memory_mib, first.types) == (460, 4000, 512, ())
    assert (second.share_milli, second.types) == (1000, ("Q1", "P1"))
    assert [(node.name, node.type, node.pool, node.accelerators) for node in trace.nodes] == [
        ("h1", "P1", "P1", 2),
        ("h3", "Q1", "Q1", 8),
    ]
    assert [item.line for item in trace.excluded] == [3, 4, 5, 6, 7]
    assert trace.excluded[0].reason.startswith("hosts.csv: gpu is 0")
    assert trace.excluded[2].reason == "types are on none of the nodes (got 'Z9')"


def test_openb_without_times(tmp_path: Path) -> None:
    trace = read(tmp_path, "openb", "name,cpu_milli,memory_mib,num_gpu,gpu_milli\na,1,1,8,1000\nb,1,1,1,30\n")
    assert brief(trace) == [(0, "a", "vc", 0, 0, 8), (1, "b", "vc", 0, 0, 1)]


def gavel_line(kind: str, steps: object, workers: object, arrival: object) -> str:
    return "\t".join([kind, "run -x", "dir", "--n", "1", str(steps), str(workers), "1", "-1.0", str(arrival)])


@pytest.fixture
def throughputs(tmp_path: Path) -> Path:
    one, two = "('Net (batch size 2)', 1)", "('Net (batch size 2)', 2)"
    table = {
        "slow": {one: {"null": 2.0, two: [1, 1]}, two: {"null": 0.0}},
        "fast": {one: {"null": 10.0}, two: {"null": 20.0}},
        "fast_unconsolidated": {one: {"null": 99.0}, two: {"null": 99.0}},
    }
    path = tmp_path / "table.json"
    path.write_text(json.dumps(table))
    return path


def test_gavel(tmp_path: Path, throughputs: Path) -> None:
    lines = [
        gavel_line("Net (batch size 2)", 1000, 1, 0),
        gavel_line("Net (batch size 2)", 1000, 2, 12.5),
        gavel_line("Net (batch size 2)", 1000, 4, 13),
        gavel_line("Net (batch size 2)", -5, 1, 13),
        "too\tfew",
    ]
    trace = read(tmp_path, "gavel", "\n".join(lines), throughputs=throughputs)
    assert brief(trace) == [(0, "0", "vc", 0, 100_000, 1), (1, "1", "vc", 12_500, 50_000, 2)]
    first, second = trace.jobs
    assert (first.types, first.speeds, first.walltime_ms) == (("fast", "slow"), (1.0, 0.2), 500_000)
    assert (second.types, second.speeds, second.walltime_ms) == (("fast",), (1.0,), 50_000)
    assert first.name == "Net (batch size 2)"
    assert [item.line for item in trace.excluded] == [3, 4, 5]
    assert "measured on no accelerator at scale_factor 4" in trace.excluded[0].reason


@pytest.mark.parametrize("content", ["[1]", "{", '{"a": 3}', '{"a_unconsolidated": {}}', None])
def test_gavel_refuses_other_tables(tmp_path: Path, content: str | None) -> None:
    table = tmp_path / "table.json"
    if content is not None:
        table.write_text(content)
    with pytest.raises(ValidationError, match=r"table\.json"):
        read(tmp_path, "gavel", gavel_line("Net", 1, 1, 0), throughputs=table)
    with pytest.raises(ValidationError, match="throughputs"):
        read(tmp_path, "gavel", gavel_line("Net", 1, 1, 0))


def test_sia_lengths_are_accelerator_hours(tmp_path: Path) -> None:
    rows = ["bert-0,60.5,bert,4,384", "x-1,70,gpt,1,1", "yolov3-2,80,yolov3,10,8"]
    text = "\n".join(["name,time,application,num_replicas,batch_size", *rows])
    trace = read(tmp_path, "sia", text)
    assert brief(trace) == [(0, "bert-0", "vc", 0, 2_178_000, 4), (1, "yolov3-2", "vc", 19_500, 6_732_000, 10)]
    assert trace.excluded[0].line == 3
    assert trace.excluded[0].reason.startswith("application is none of")


def test_muri_counts_milliseconds(tmp_path: Path) -> None:
    trace = read(tmp_path, "muri", "job_id,num_gpu,submit_time,duration,model_name\n7,4,1000,2500,net\n")
    assert brief(trace) == [(0, "7", "vc", 0, 2_500, 4)]
    assert trace.jobs[0].name == "net"


def test_elasticflow_both_kinds(tmp_path: Path) -> None:
    own = read(tmp_path, "elasticflow", "job_id,submit_time,model_name,ddl,num_gpu,duration\n0,5,net,99,2,30\n")
    cut = "job_id,submit_time,model_name,ddl,num_gpu,real_duration,duration\n0,5,net,99,2,30,44\n"
    assert brief(own) == brief(read(tmp_path, "elasticflow", cut)) == [(0, "0", "vc", 0, 30_000, 2)]


def test_swf(tmp_path: Path) -> None:
    text = (
        "; Version: 2.2\n;\n"
        "  1  10 5 100  4 -1 -1  8 200 -1 1 3  2  7 1 -1 -1 -1\n"
        "  2  12 5 100  4 -1 -1 -1  -1 -1 0 3 -1 -1 1 -1 -1 -1\n"
        "  2  12 5  50  4 -1 -1 -1  -1 -1 2 3 -1 -1 1 -1 -1 -1\n"
        "  3  13 5  -1  4 -1 -1  8 200 -1 5 3  2  7 1 -1 -1 -1\n"
        "  4  13 5   9 -1 -1 -1 -1 200 -1 5 3  2  7 1 -1 -1 -1\n"
        "  5  13 5   9\n"
    )
    trace = read(tmp_path, "swf", text)
    assert brief(trace) == [(0, "1", "group-2", 0, 100_000, 8), (1, "2", "user-3", 2_000, 100_000, 4)]
    assert [(job.walltime_ms, job.name) for job in trace.jobs] == [(200_000, "program-7"), (None, "")]
    assert [item.line for item in trace.excluded] == [5, 6, 7, 8]


SACCT = """JobIDRaw|User|Account|Partition|State|Submit|Start|End|TimelimitRaw|AllocTRES|JobName
7|an|speech|gpu|COMPLETED|1000|1010|1070|90|billing=8,cpu=8,gres/gpu:a100=8,gres/gpu=8,mem=1M,node=1|tra|in
7.batch|||gpu|COMPLETED|1000|1010|1070||cpu=8|batch
8|bo|vision|gpu|CANCELLED by 0|1020|Unknown|1030|UNLIMITED||never
9|bo|vision|gpu|FAILED|1020|1030|1040|Partition_Limit|cpu=4,gres/npu:910b3=4,node=2|eval
10|bo|vision|gpu|COMPLETED|1020|1030|1040|1|cpu=4,node=1|host
11|bo|vision|gpu|COMPLETED|1020|1030|1040|1|gres/gpu:a100=1,gres/gpu:l40=1|both
"""


def test_sacct(tmp_path: Path) -> None:
    path = tmp_path / "history.txt"
    path.write_text(SACCT, "utf-8")
    trace = read_trace(path, "sacct")
    assert [(job.id, job.tenant, job.submit_ms, job.duration_ms, job.accelerators) for job in trace.jobs] == [
        ("7", "speech", 0, 60_000, 8),
        ("9", "vision", 20_000, 10_000, 4),
    ]
    assert [(job.name, job.walltime_ms, job.types) for job in trace.jobs] == [
        ("tra|in", 90 * 60_000, ()),
        ("eval", None, ()),
    ]
    assert [one.line for one in trace.excluded] == [3, 4, 6, 7]
    mapped = read_trace(path, "sacct", ReadOptions(gres={"gpu": "a100-80g-sxm"}))
    assert [(job.id, job.types) for job in mapped.jobs] == [("7", ("a100-80g-sxm",))]
    assert "npu:910b3" in mapped.excluded[2].reason


def test_unknown_formats_are_refused_and_known_ones_described(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="philly"):
        read(tmp_path, "phily", PHILLY)
    assert set(FORMATS) == {
        "petahour", "philly", "helios", "acme", "openb", "gavel", "sia", "muri", "elasticflow", "swf", "sacct",
    }  # fmt: skip
    page = (Path(__file__).parents[4] / "docs" / "reference" / "traces.md").read_text("utf-8")
    assert all(f"\n## {name}\n" in page for name in FORMATS)
    assert all("\n" not in summary and summary for summary in FORMATS.values())
