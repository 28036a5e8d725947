"""Imported first by the process that workers are forked from: one thread a worker, and Ctrl-C is the main process's to answer."""

from __future__ import annotations

import os
import signal

for _library in ("OPENBLAS", "OMP", "MKL"):  # read when numpy is first imported
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
signal.signal(signal.SIGINT, signal.SIG_IGN)  # else Ctrl-C during the imports that follow prints a traceback of theirs
