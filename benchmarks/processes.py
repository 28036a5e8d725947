"""A command run with an eye on it: wall clock, processor time and peak memory of the process and of all it starts.

Worker processes are not children of the command but of a server that it starts, so what the system tells a parent about its children
leaves them out. The tree is therefore looked at in /proc many times a second; peak memory is the kernel's own high-water mark, so nothing
is missed but what happens after the last look, and processor time is short by at most one interval a process.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

INTERVAL_S = 0.02
TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What a command took."""

    wall_s: float
    cpu_s: float
    """User and system time of all processes."""
    peaks_mib: tuple[float, ...]
    """Peak resident memory of each process, the command itself first, the others from the largest down; empty where /proc is absent."""
    together_mib: float
    """Largest sum of resident memory at one moment; pages that processes share count in each."""
    output: str


def watch(command: Sequence[str], *, env: dict[str, str] | None = None) -> Watched:
    """Runs a command to its end; one that fails raises `SystemExit` with what it wrote."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        tree = _Tree(process.pid)
        stop = threading.Event()
        looker = threading.Thread(target=_look_until, args=(tree, stop), daemon=True)
        looker.start()
        output, errors = process.communicate()
        wall = time.perf_counter() - start
        stop.set()
        looker.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {process.returncode}:\n{errors[-2000:]}")
    own = tree.peak_mib.pop(process.pid, None)
    peaks = () if own is None else (own, *sorted(tree.peak_mib.values(), reverse=True))
    return Watched(wall_s=wall, cpu_s=sum(tree.cpu_s.values()), peaks_mib=peaks, together_mib=tree.together_mib, output=output)


@dataclass
class _Tree:
    """A process and its descendants, as last seen."""

    root: int
    known: set[int] = field(default_factory=set)
    cpu_s: dict[int, float] = field(default_factory=dict)
    peak_mib: dict[int, float] = field(default_factory=dict)
    together_mib: float = 0.0

    def look(self) -> None:
        """One look at every process of the tree."""
        self.known = {self.root} if not self.known else self.known
        for pid in list(self.known):
            self.known |= _children(pid)
        now = 0.0
        for pid in self.known:
            try:
                self.cpu_s[pid] = _cpu_s(pid)
                peak, resident = _memory_mib(pid)
            except (OSError, ValueError, IndexError):
                continue  # it has ended: what was seen of it stays
            if peak:
                self.peak_mib[pid] = peak
                now += resident
        self.together_mib = max(self.together_mib, now)


def _look_until(tree: _Tree, stop: threading.Event) -> None:
    while not stop.wait(INTERVAL_S):
        tree.look()


def _children(pid: int) -> set[int]:
    found: set[int] = set()
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found |= {int(word) for word in file.read_text().split()}
        except OSError:
            continue  # the thread has ended
    return found


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _memory_mib(pid: int) -> tuple[float, float]:
    """High-water mark and present size of resident memory; zeros for a process that has ended and is not yet collected."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    peak, resident = (int(lines.get(name, "0 kB").split()[0]) / 1024 for name in ("VmHWM", "VmRSS"))
    return peak, resident
