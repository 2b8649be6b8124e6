"""Sets how libraries use threads; import it before any library that starts them.

OpenMP's threads spin at each barrier by default. On a machine with as many busy processes as cores
that made small boosted fits 40 times slower, in CPU time as well: let threads that wait sleep.

OpenBLAS's threads spin as well: over the 40,000 features of a text they made a logistic regression
12 times slower. With one of them its sums do not depend on the number of cores, either.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
