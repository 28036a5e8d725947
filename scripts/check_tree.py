"""Fails where a tracked file ties the project to one machine or one mirror: registry hosts, home directories, lock files with addresses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

LOCK_FILES = re.compile(
    r"(^|/)(uv\.lock|poetry\.lock|pdm\.lock|Pipfile\.lock|package-lock\.json|yarn\.lock|pnpm-lock\.yaml|conda-lock\.yml)$"
)
PIN_FILES = re.compile(r"(^|/)(constraints[^/]*\.txt|requirements[^/]*\.txt|pyproject\.toml|\.?pip\.conf|\.npmrc)$")
_HOST = re.compile(r"\b(?:[\w-]+\.)*(?:pypi|npmjs|anaconda|registry|mirrors?)[\w-]*(?:\.[\w-]+)*\.(?:org|com|io|net|dev|local|internal)\b")
_HOME = re.compile(r"(?<![\w.])/(?:home|Users)/[A-Za-z][\w.-]*/|(?<![\w.])/ro[o]t/|[A-Z]:\\Users\\")
_SOURCE = re.compile(r"(?:--)?(?:extra-)?(?:index-url|find-links|trusted-host)|://|\s@\s*(?:file|git|https?)\b")


def faults(name: str, text: str, *, here: str) -> list[str]:
    """What is wrong in one file, each as `file:line: reason`."""
    found = [f"{name}: a lock file that records download addresses"] if LOCK_FILES.search(name) else []
    for number, line in enumerate(text.splitlines(), start=1):
        if _HOST.search(line):
            found.append(f"{name}:{number}: names the host of a package registry")
        if (here != "//" and here in line) or _HOME.search(line):
            found.append(f"{name}:{number}: a path of one machine")
        if PIN_FILES.search(name) and _SOURCE.search(line):
            found.append(f"{name}:{number}: says where a package is fetched from")
    return found


def main() -> int:
    names = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True).stdout.split("\0")
    here = f"{Path.cwd().parent}/"
    found: list[str] = []
    for name in filter(None, names):
        try:
            found += faults(name, Path(name).read_text(encoding="utf-8"), here=here)
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # pictures have no lines; a file deleted but not yet committed is gone
    print("\n".join(found) or f"tree: {len(names) - 1} files, nothing tied to one machine", file=sys.stderr if found else sys.stdout)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
