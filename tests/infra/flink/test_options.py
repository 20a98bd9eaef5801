"""The options of a streaming job on the local cluster."""

import json
import os
from pathlib import Path

import pytest

from infra.flink.options import beam_options
from infra.settings import ClusterSettings
from pipelines.stream.dealing import SUBTASKS

SETTINGS = ClusterSettings(job_server_port=9099, job_server_artifact_port=9098)


def value_of(options: list[str], name: str) -> str:
    (found,) = [option.partition("=")[2] for option in options if option.partition("=")[0] == name]
    return found


def test_a_job_goes_to_the_job_server_under_its_name() -> None:
    options = beam_options(SETTINGS, "stream-1")
    assert value_of(options, "--runner") == "PortableRunner"
    assert value_of(options, "--job_endpoint") == "127.0.0.1:9099"
    assert value_of(options, "--artifact_endpoint") == "127.0.0.1:9098"
    assert value_of(options, "--job_name") == "stream-1"


def test_workers_are_started_by_a_program_that_is_there() -> None:
    options = beam_options(SETTINGS, "stream-1")
    assert value_of(options, "--environment_type") == "PROCESS"
    command = json.loads(value_of(options, "--environment_config"))["command"]
    assert os.access(command, os.X_OK)
    assert Path(command).is_absolute()


def test_a_job_reads_from_its_start_and_leaves_checkpoints_that_stay() -> None:
    options = beam_options(SETTINGS, "stream-1")
    switches = {option for option in options if "=" not in option}
    assert switches == {
        "--streaming",
        "--externalized_checkpoints_enabled",
        "--retain_externalized_checkpoints_on_cancellation",
        "--finish_bundle_before_checkpointing",
        "--faster_copy",
        "--fail_on_checkpointing_errors",
    }


def test_an_option_that_is_given_takes_the_place_of_ours() -> None:
    options = beam_options(SETTINGS, "stream-1", ["--parallelism=1", "--savepoint_path=file:///x"])
    assert value_of(options, "--parallelism") == "1"
    assert value_of(options, "--savepoint_path") == "file:///x"


@pytest.mark.parametrize(("given", "workers"), [([], "6"), (["--parallelism=1"], "3"), (["--parallelism=many"], "6")])
def test_each_step_has_a_worker_for_each_of_its_subtasks(given: list[str], workers: str) -> None:
    assert value_of(beam_options(SETTINGS, "stream-1", given), "--sdk_worker_parallelism") == workers
    assert (
        value_of(beam_options(SETTINGS, "stream-1", [*given, "--sdk_worker_parallelism=4"]), "--sdk_worker_parallelism")
        == "4"
    )


def test_there_are_as_many_subtasks_and_groups_of_keys_as_keys_are_dealt_between() -> None:
    options = beam_options(SETTINGS, "stream-1")
    assert value_of(options, "--parallelism") == value_of(options, "--max_parallelism") == str(SUBTASKS)
