"""The engine ``ray``: processes of a Ray cluster. Ray places them, joins them, and starts lost ones anew.

Ray Train runs a function on several processes together; where a node is lost it goes on with those that are
left, from the latest checkpoint. Each task that stands alone is a task of Ray. What they tell comes home to
a mailbox on this host, which needs no disk in common.

Source: Moritz et al., "Ray" (arXiv 1712.05889), for tasks and actors.
"""

import os
import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

import ray  # isort: skip
from ray.exceptions import RayError, RayTaskError  # isort: skip
from ray.train import FailureConfig, RunConfig, ScalingConfig, get_context  # isort: skip
from ray.train.torch import TorchConfig, TorchTrainer  # isort: skip
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # isort: skip

from search_server.engines.engine import (
    MAX_RESTARTS,
    POLL_S,
    GoOn,
    OnReport,
    Outcome,
    Task,
    Tell,
    TogetherFunction,
)
from search_server.engines.mailbox import Mailbox, Refusal, Report, Told, opened

REFUSALS = (ValueError, torch.OutOfMemoryError)
"""What a further start does not put right."""
VARIABLES = {
    "RAY_AUTH_MODE": "token",  # unset, nodes disagree about it
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",  # loading torch takes minutes on a busy machine
}
"""What Ray is told unless it has been told otherwise."""


@dataclass(frozen=True, slots=True)
class RayRanks:
    """What the function knows in one of several processes."""

    rank: int
    world_size: int
    mailbox: Any

    def report(self, facts: Any, checkpoint: bytes) -> None:
        """Tell facts, and from what to go on behind them."""
        ray.get(self.mailbox.put.remote(Report(facts, checkpoint)))

    def latest_checkpoint(self) -> bytes | None:
        """Return from what to go on."""
        checkpoint: bytes | None = ray.get(self.mailbox.latest_checkpoint.remote())
        return checkpoint


@dataclass(frozen=True, slots=True)
class RayEngine:
    """Processes of a Ray cluster."""

    address: str
    """Of its head, ``host:port``; this host has to be one of its nodes."""
    num_processes: int
    """Most that compute together; each task that stands alone waits for a processor of its own."""
    uses_gpus: bool = True
    """Each process has a GPU where the cluster has as many."""

    def run_together(
        self,
        function: TogetherFunction,
        task: Any,
        num_processes: int,
        checkpoint: bytes | None,
        on_report: OnReport,
        go_on: GoOn,
    ) -> None:
        """Run a function on several processes to its end; see :class:`Engine`."""
        mailbox = self._mailbox(checkpoint)
        scaling = ScalingConfig(
            num_workers=(1, num_processes) if num_processes > 1 else 1,
            use_gpu=self._num_gpus(num_processes) > 0,
            resources_per_worker={"CPU": 1},
        )
        ending = _here(_train, max_retries=0).remote(function, task, mailbox, scaling)
        try:
            while True:
                go_on()
                has_ended = bool(ray.wait([ending], timeout=0)[0])
                report = opened(ray.get(mailbox.take.remote(POLL_S)))
                if report is not None:
                    on_report(report.facts, report.checkpoint)
                elif has_ended:
                    ray.get(ending)
                    return
        except RayError as error:
            raise RuntimeError(f"the cluster at {self.address} could not end this: {error}") from error
        finally:
            ray.cancel(ending, force=True)  # with it all that it has started ends
            ray.kill(mailbox)

    def spread(
        self,
        function: Callable[[Task, Tell], Outcome],
        tasks: Sequence[Task],
        on_told: Callable[[int, float, str], None],
        on_done: Callable[[int, Outcome], None],
        go_on: GoOn,
    ) -> list[Outcome]:
        """Run a function on each task, several at the same time; see :class:`Engine`."""
        mailbox = self._mailbox(None)
        remote = ray.remote(num_cpus=1, num_gpus=self._num_gpus(len(tasks)), max_retries=MAX_RESTARTS)(_run)
        waiting = {remote.remote(function, index, task, mailbox): index for index, task in enumerate(tasks)}
        outcomes: dict[int, Outcome] = {}
        try:
            while waiting:
                go_on()
                told = ray.get(mailbox.take.remote(POLL_S))
                if isinstance(told, Told):
                    on_told(told.index, told.share, told.words)
                done, _ = ray.wait(list(waiting), num_returns=1, timeout=0)
                for reference in done:
                    index = waiting.pop(reference)
                    outcomes[index] = ray.get(reference)
                    on_done(index, outcomes[index])
        except RayTaskError as error:
            raise error.cause from error
        except RayError as error:
            raise RuntimeError(f"the cluster at {self.address} could not end this: {error}") from error
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)
            ray.kill(mailbox)
        return [outcomes[index] for index in range(len(tasks))]

    def _mailbox(self, checkpoint: bytes | None) -> Any:
        """Return a mailbox on this host, as an actor of Ray; join the cluster for it."""
        if not ray.is_initialized():
            for name, value in VARIABLES.items():
                os.environ.setdefault(name, value)
            try:
                ray.init(self.address, namespace="edgenas", log_to_driver=False)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise ValueError(
                    f"no Ray cluster can be joined at {self.address} ({error}); is this host one of its "
                    "nodes ('ray start'), and are RAY_AUTH_MODE and the token those of the head?"
                ) from error
        return _here(Mailbox, max_concurrency=16).remote(checkpoint)

    def _num_gpus(self, num_processes: int) -> int:
        """Return how many GPUs each process has."""
        return int(self.uses_gpus and ray.cluster_resources().get("GPU", 0) >= num_processes)


def _here(function_or_class: Any, **options: Any) -> Any:
    """Return a function or class of Ray that runs on this host and occupies no processor."""
    place = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=place, **options)(function_or_class)


def _train(function: TogetherFunction, task: Any, mailbox: Any, scaling: ScalingConfig) -> None:
    """Run Ray Train to its end."""
    with tempfile.TemporaryDirectory(prefix="edgenas-ray-") as folder:
        TorchTrainer(
            _rank,
            train_loop_config={"function": function, "task": task, "mailbox": mailbox},
            # Theta and figures are on the CPU, weights may be on GPUs.
            torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if scaling.use_gpu else "gloo"),
            scaling_config=scaling,
            run_config=RunConfig(
                name=uuid.uuid4().hex,
                storage_path=folder,  # for what Ray notes of the run; checkpoints are in the mailbox
                failure_config=FailureConfig(max_failures=MAX_RESTARTS),
            ),
        ).fit()


def _rank(given: dict[str, Any]) -> None:
    """Run the function as one of the ranks."""
    context, mailbox = get_context(), given["mailbox"]
    ranks = RayRanks(context.get_world_rank(), context.get_world_size(), mailbox)
    try:
        given["function"](ranks, given["task"])
    except REFUSALS as error:
        ray.get(mailbox.put.remote(Refusal(error)))


def _run(function: Callable[[Task, Tell], Outcome], index: int, task: Task, mailbox: Any) -> Outcome:
    """Run a function on one task."""

    def tell(share: float, words: str) -> None:
        mailbox.put.remote(Told(index, share, words))

    return function(task, tell)
