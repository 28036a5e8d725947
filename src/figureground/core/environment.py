"""The environment of worker processes: that of the process whose work they do, as it is when they start."""

from __future__ import annotations

import os
from collections.abc import Mapping


def take_environment(environment: Mapping[str, str]) -> None:
    """Makes the environment variables of this process those of `environment`: a copy of `os.environ` from where the work comes from.

    A process that others are forked from keeps the environment of when it was started. Without this, its later children would not see what
    a program has set since: the address of a bucket, say, or who asks.
    """
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)
