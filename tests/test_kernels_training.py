"""Whole steps of lanes against a plain loop of torch in float64, alone, in company and by a team."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lane_program import Job, lane_of, masks_of, rates_of, spans, train

from clbench.kernels.optimizers import ADAGRAD, ADAMW, SGD
from clbench.kernels.pulls import L1, L2, NORM

JOBS = {
    "adam": Job((1, 17, 17, 1), "tanh"),
    "sgd": Job((6, 33, 9), "relu", "cross_entropy", optimizer=SGD, numbers=(0.1, 0.9, 0.0, 0.0, 0.01)),
    "l2": Job(
        (6, 33, 9),
        "gelu",
        "cross_entropy",
        pull=(L2, 0),
        optimizer=ADAMW,
        numbers=(0.01, 0.9, 0.99, 1e-6, 0.1),
    ),
    "l1 apart": Job(
        (3, 9, 9), "sigmoid", pull=(L1, 1), rates=True, optimizer=SGD, numbers=(0.1, 0.0, 0.0, 0.0, 0.0)
    ),
    "norm": Job(
        (6, 40, 70, 9), "relu", "cross_entropy", pull=(NORM, 0), optimizer=SGD, numbers=(0.05, 0, 0, 0, 0)
    ),
    "norm apart": Job(
        (6, 40, 70, 9), "tanh", pull=(NORM, 1), optimizer=ADAGRAD, numbers=(0.05, 0.1, 0, 1e-6, 0)
    ),
    "l2 apart": Job((17, 33, 3), "tanh", batch=17, pull=(L2, 1), rates=True),
}
SUMS = ("PATH", "TOTAL_PATH", "SQUARES", "FIRST_SQUARES")


def optimizer_of(job, theta):
    lr, second, third, eps, decay = job.numbers
    if job.optimizer == SGD:
        return torch.optim.SGD([theta], lr=lr, momentum=second, weight_decay=decay)
    if job.optimizer == ADAGRAD:
        return torch.optim.Adagrad([theta], lr=lr, lr_decay=second, eps=eps, weight_decay=decay)
    kind = torch.optim.AdamW if job.optimizer == ADAMW else torch.optim.Adam
    return kind([theta], lr=lr, betas=(second, third), eps=eps, weight_decay=decay)


def task_loss(job, lane, theta, start, stop):
    """Return Σ weight · loss of a batch."""
    tasks, samples = np.divmod(lane["ADDRESSES"][start:stop], job.pool)
    found = torch.tensor(
        np.stack(
            [
                lane["INPUTS"][sample][lane["ORDERS"][task]]
                for task, sample in zip(tasks, samples, strict=True)
            ]
        )
    ).double()
    for index, (inputs, outputs, weight, bias, *_) in enumerate(job.layers):
        found = (
            found @ theta[weight : weight + inputs * outputs].view(outputs, inputs).T
            + theta[bias : bias + outputs]
        )
        if index < len(job.layers) - 1:
            found = {"gelu": torch.nn.functional.gelu}.get(
                job.activation, getattr(torch, job.activation, None)
            )(found)
    weights = torch.tensor(lane["WEIGHTS"][start:stop]).double()
    if job.loss == "mse":
        return (weights * (found - torch.tensor(lane["TARGETS"][samples])).square().mean(1)).sum()
    masks, starts = masks_of(job)
    labels = torch.tensor(lane["TARGETS"][samples] + starts[tasks])
    each = torch.nn.functional.cross_entropy(found + torch.tensor(masks[tasks]), labels, reduction="none")
    return (weights * each).sum()


def pull_gradient(job, theta, anchor, weight):
    """Return the gradient of ½ Σ w Δ², Σ w |Δ| or Σ_tensors √Σ (w Δ)²."""
    apart, found = theta - anchor, torch.zeros_like(theta)
    if job.pull[0] != NORM:
        return weight * (apart if job.pull[0] == L2 else apart.sign())
    for start, stop in (span for layer in job.layers for span in spans(layer)):
        part = slice(start, stop)
        found[part] = weight[part] ** 2 * apart[part] / (weight[part] * apart[part]).norm()
    return found


def shrunk(job, theta, before, anchor, step):
    """Return θ after the decoupled step."""
    apart = theta - anchor
    if job.pull[0] == L2:
        return theta - (before - anchor) * step
    if job.pull[0] == L1:
        return anchor + apart.sign() * (apart.abs() - step).clamp(min=0)
    found = theta.clone()
    for start, stop in (span for layer in job.layers for span in spans(layer)):
        part = slice(start, stop)
        found[part] = anchor[part] + apart[part] * (1 - step[part] / apart[part].norm()).clamp(min=0)
    return found


def plain_loop(job, seed):
    """Return a lane's θ, last loss and sums by autograd and torch's optimisers."""
    lane = lane_of(job, seed)
    theta = torch.tensor(lane["THETA"]).double().requires_grad_()
    anchor, weight = (torch.tensor(lane[name]).double() for name in ("anchor", "weight"))
    rates = torch.tensor(rates_of(job) if job.rates else np.ones(job.padded)).double()
    optimizer, sums = optimizer_of(job, theta), {name: torch.zeros(job.padded).double() for name in SUMS}
    for step, (start, stop) in enumerate(zip(job.ends, job.ends[1:], strict=False)):
        loss = task_loss(job, lane, theta, start, stop)
        (slope,) = torch.autograd.grad(loss, theta)
        before, slope = theta.detach().clone(), torch.where(rates == 0, 0, slope)
        used = slope.clone()
        if job.pull and not job.pull[1]:
            used = torch.where(rates == 0, 0, used + pull_gradient(job, before, anchor, weight))
        theta.grad = used
        optimizer.step()
        with torch.no_grad():
            theta.copy_(before + rates * (theta - before))
            if job.pull and job.pull[1]:
                theta.copy_(shrunk(job, theta, before, anchor, weight * 0.05))
        moved = theta.detach() - before
        sums["PATH"] -= slope * moved
        sums["TOTAL_PATH"] -= used * moved
        sums["SQUARES"] += slope**2
        sums["FIRST_SQUARES"] = slope**2 if step == 0 else sums["FIRST_SQUARES"]
    return {
        "THETA": theta.detach().numpy(),
        "FOUND": [loss.item()],
        **{k: v.numpy() for k, v in sums.items()},
    }


@pytest.mark.parametrize("name", JOBS)
def test_twenty_steps_are_those_of_a_plain_loop(name):
    job = JOBS[name]
    (found,), wanted = train(job, [1]), plain_loop(job, 1)
    for each, value in wanted.items():
        size = np.abs(value).max() + 1e-9
        np.testing.assert_allclose(
            found[each][: job.count], value[: job.count], rtol=1e-3, atol=1e-3 * size, err_msg=each
        )


@pytest.mark.parametrize("name", JOBS)
def test_a_lane_has_the_same_bits_alone_in_company_and_by_a_team(name):
    job = JOBS[name]
    alone = [train(job, [seed])[0] for seed in (1, 2, 3)]
    for team, seeds in ((1, (3, 1, 2)), (2, (1, 2)), (3, (2, 3, 1))):
        for seed, lane in zip(seeds, train(job, seeds, team), strict=True):
            for each in ("THETA", "FIRST", "SECOND", "FOUND", *SUMS):
                assert lane[each].tobytes() == alone[seed - 1][each].tobytes(), (team, seed, each)
