"""Strategies: how forgetting is fought. conf/strategy/ names their configurations."""

from clbench.context import Batch, Context, State
from clbench.penalty import Pull
from clbench.strategies.acts import Acts, Replay
from clbench.strategies.agem import AGEM
from clbench.strategies.base import Strategy
from clbench.strategies.baselines import Cumulative, Joint, Naive
from clbench.strategies.combined import Combined
from clbench.strategies.der import DarkReplay
from clbench.strategies.distillation import Distillation
from clbench.strategies.er import ExperienceReplay
from clbench.strategies.gdumb import GDumb
from clbench.strategies.gem import GEM
from clbench.strategies.lwf import LwF
from clbench.strategies.naive_rehearsal import NaiveRehearsal
from clbench.strategies.regularized import Regularized
from clbench.strategies.shrink_perturb import ShrinkPerturb

__all__ = [
    "AGEM",
    "Acts",
    "GEM",
    "Batch",
    "Combined",
    "Context",
    "Cumulative",
    "DarkReplay",
    "Distillation",
    "ExperienceReplay",
    "GDumb",
    "Joint",
    "LwF",
    "Naive",
    "NaiveRehearsal",
    "Pull",
    "Regularized",
    "Replay",
    "ShrinkPerturb",
    "State",
    "Strategy",
]
