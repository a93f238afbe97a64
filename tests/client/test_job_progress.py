"""Progress without a terminal: few lines, whatever a job has to say."""

from dataclasses import replace

import pytest

from search_server.client.job_progress import JobFailedError, job_progress
from search_server.resources.jobs import Job
from tests.client.served import CONDITIONS

JOB = Job(
    "job_1", "search", "running", "device_1", "bench", "fbnet-tiny", CONDITIONS, "2026-11-24T12:00:00"
)


def test_a_line_for_a_stage_and_for_each_five_percent(capsys: pytest.CaptureFixture[str]) -> None:
    with job_progress(lambda: None, "") as progress:
        for percent in range(50):
            message = f"epoch {percent}"
            progress.update(replace(JOB, progress=percent / 100, message=message), "search")
        progress.update(replace(JOB, progress=0.5, message="measuring"), "measure")
        progress.update(replace(JOB, progress=0.51, message="still measuring"), "measure")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [*(f"{p:3d} %  epoch {p}" for p in range(0, 50, 5)), " 50 %  measuring"]


def test_the_end_of_a_job_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with job_progress(lambda: None, "") as progress:
        progress.update(replace(JOB, progress=0.99))
        progress.update(replace(JOB, progress=1.0, status="done", message="found"))
        with pytest.raises(JobFailedError, match="too hot"):
            progress.update(replace(JOB, progress=1.0, status="failed", message="too hot"))
    assert capsys.readouterr().err.splitlines() == [" 99 %  running", "100 %  found", "100 %  too hot"]
