"""What keeps a network from doing harm: a judge of what it does, and the tissue to look out for.

`Guard` judges and mixes. What other tissue there may be is told by a `KineticGuard`, found in the
clean curves (`found_kinetics`), or, if neither, any filter of them (`FILTERED`).
"""

from sk_dcedenoise._guard._found_kinetics import found_kinetics
from sk_dcedenoise._guard._guard import Guard
from sk_dcedenoise._guard._kinetic_guard import KineticGuard
from sk_dcedenoise._guard._other_tissue import FILTERED

__all__ = ["FILTERED", "Guard", "KineticGuard", "found_kinetics"]
