"""Chunks of work on as many threads as torch may use."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import torch


def run_chunks(function, chunks, device):
    """``[function(chunk) for chunk in chunks]``, the chunks spread over threads on the CPU.

    Most steps of a fit are too short for torch to divide among threads; whole chunks are not. The
    number of threads is torch's own, and a worker uses one thread for each of its steps.
    """
    chunks = list(chunks)
    n_threads = torch.get_num_threads()
    n_workers = min(n_threads, len(chunks)) if device.type == "cpu" else 1
    if n_workers < 2:
        return [function(chunk) for chunk in chunks]
    started = Barrier(n_workers + 1)

    def use_one_thread():
        torch.set_num_threads(1)
        started.wait()

    with ThreadPoolExecutor(n_workers, initializer=use_one_thread) as pool:
        results = pool.map(function, chunks)
        started.wait()
        # What a worker sets for itself torch also keeps for threads yet to come: put that back.
        # Workers and the caller keep what they have.
        torch.set_num_threads(n_threads)
        return list(results)
