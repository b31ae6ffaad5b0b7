"""What every strategy must hold, yours too.

python -c "import mine, clbench.testing; clbench.testing.check_strategy(mine.MyStrategy)"
"""

from clbench.testing.conformance import Check, check_strategy
from clbench.testing.tiny import TinyStream

__all__ = ["Check", "TinyStream", "check_strategy"]
