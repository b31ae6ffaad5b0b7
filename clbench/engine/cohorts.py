"""Which lanes may share a program, and how many of them do."""

from __future__ import annotations

import torch

from clbench.config import fingerprint
from clbench.engine.lane import ReadyPhase
from clbench.engine.plan import Phase, program_structure

PROGRAM_BYTES = 6_500_000
MOST_LANES = 256


def cohort_of(ready: ReadyPhase) -> tuple[object, ...]:
    """Return what lanes have in common that may share a program."""
    # A stage's consolidation and the next one's training may start from states of one structure.
    key: tuple[object, ...] = (program_structure(ready.phase), ready.phase.level, ready.claim)
    if ready.state is None:
        return key
    return (*key, ready.state.state.structure)


def split_cohort(cohort: list[ReadyPhase], workers: int) -> list[list[ReadyPhase]]:
    """Return the programs of a cohort; lanes with equal optimisers lie side by side and share a kernel."""
    lanes = sorted(cohort, key=lambda ready: fingerprint(ready.phase.run.optimizer))
    device = torch.device(lanes[0].phase.run.device)
    programs, start = [], 0
    for size in program_lanes(len(lanes), lane_bytes(lanes[0].phase), workers, device):
        programs.append(lanes[start : start + size])
        start += size
    return programs


def lane_bytes(phase: Phase) -> int:
    """Return about how many bytes a lane touches in a step: parameters, gradient, moments, activations."""
    run, stream = phase.run, phase.stream
    layout = run.model.layout(stream)
    units = sum(parameter.shape[0] for parameter in layout.parameters if len(parameter.shape) == 1)
    return 16 * layout.padded + 4 * run.training.batch_size * (stream.inputs[0].numel() + 2 * units)


def program_lanes(count: int, size: int, workers: int, device: torch.device) -> list[int]:
    """Return how many lanes each program of a cohort has.

    On the CPU there is a program for every worker, or as many for each as the memory of a program asks for.

    Args:
        count: lanes of the cohort.
        size: bytes a lane touches in a step.
        workers: programs that train at the same time.
        device: of the lanes.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        programs = -(-count // max(int(free * 0.5 / (3 * size)), 1))
    else:
        most = min(max(PROGRAM_BYTES // size, 1), MOST_LANES)
        programs = -(-count // (most * workers)) * workers
    programs = min(programs, count)
    small, larger = divmod(count, programs)
    return [small + 1] * larger + [small] * (programs - larger)
