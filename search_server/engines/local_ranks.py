"""Processes that compute together on this machine: ``python -m ... PARENT_PID NUM_PROCESSES MAX_RESTARTS``.

That command becomes torch's elastic launcher, which starts this module once for each rank, and all ranks
anew when one dies.
"""

import os
import sys
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed
from torch.distributed import run
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from search_server.engines.local_mail import MailClient
from search_server.engines.mailbox import Refusal, Report
from search_server.engines.processes import end_with_parent

REFUSALS = (ValueError, torch.OutOfMemoryError)
"""What a further start does not put right."""


@dataclass(frozen=True, slots=True)
class JoinedRanks:
    """What the function knows in one of several processes."""

    rank: int
    world_size: int
    mail: MailClient

    def report(self, facts: Any, checkpoint: bytes) -> None:
        """Tell facts, and from what to go on behind them."""
        self.mail.put(Report(facts, checkpoint))

    def latest_checkpoint(self) -> bytes | None:
        """Return from what to go on."""
        return self.mail.latest_checkpoint()


def launch(parent_pid: int, num_processes: int, max_restarts: int) -> None:
    """Start the ranks and stay until they have ended."""
    end_with_parent(parent_pid)
    run.main(
        [
            "--standalone",
            "--local-addr=127.0.0.1",
            f"--nproc-per-node={num_processes}",
            f"--max-restarts={max_restarts}",
            "--module",
            "search_server.engines.local_ranks",
        ]
    )


def run_rank() -> None:
    """Run the function as one of the ranks."""
    end_with_parent(os.getppid())
    mail = MailClient()
    function, task = mail.task()
    # Theta is on the CPU, weights may be on a GPU of each rank.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    store, rank, world_size = next(rendezvous("env://"))
    # The launcher keeps one store over all starts: without a prefix a rank may read where a dead one was.
    own = PrefixStore(f"start {os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
    distributed.init_process_group(backend, store=own, rank=rank, world_size=world_size)
    try:
        function(JoinedRanks(rank, world_size, mail), task)
    except REFUSALS as error:
        mail.put(Refusal(error))
    finally:
        distributed.destroy_process_group()


if __name__ == "__main__":
    if "RANK" in os.environ:
        run_rank()
    else:
        launch(*map(int, sys.argv[1:4]))
