"""Numba kernels for the CPU, in float32: what a training step consists of, and whole steps of lanes.

Every kernel works on one lane by itself, so that a lane's bits depend on nothing but its own numbers.
"""
