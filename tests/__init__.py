"""The tests; and, before anything starts a thread, how much of the machine they take."""

import os

# Tests run beside each other and beside other work: threads that spin would hold each other up.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# A worker beside others keeps to one CPU, with all that it starts: with two threads for each of two
# workers on two CPUs, the suite took twice as much CPU time.
if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_setaffinity"):
    cpus = sorted(os.sched_getaffinity(0))
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    os.sched_setaffinity(0, {cpus[number % len(cpus)]})
