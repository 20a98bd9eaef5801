"""The same job as one compact program on one thread, with Polars and NumPy and without Beam.

It reads every record of every file, checks every rule that rejects, digests every meter point,
resolves copies and corrections exactly, walks every meter, and counts the measures of meters in place.
Omitted, in its favour: Great Expectations, warnings, provenance and quarantine rows, the balance by
owner, the inferred mode and local authorities, the measures of visits, delays, declared meters and the
DCC, damage that a split at sync markers does not repair, ties of copies that only their text decides
(decided by a hash here), memory limits (all events are held at once), and the store.
"""

import os

# Set before Polars and NumPy are imported anywhere, so that they use one thread only.
for _name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[_name] = "1"
