"""Who may be taken: pictures that can be read, and that are neither near-duplicates of those taken nor of training pictures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from figureground.core.errors import Fault, FormatError
from figureground.data.pool import Pool
from figureground.runs.executor import available_cores
from figureground.stages.mine.duplicates import Seen, hash_of


class PictureAdmission:
    """Lets pictures in that can be read and are no near-duplicates, and samples without a picture.

    Args:
        pool: whose pictures.
        able: every id that can be asked for.
        seen: pictures that are there already.
        near: bits in which near-duplicates differ at most; None = every sample is let in, and no picture is read.
        hashes: what is known of pictures already; grows.
    """

    def __init__(self, pool: Pool, able: Collection[str], seen: Seen, *, near: int | None, hashes: dict[str, int | Fault]) -> None:
        self._images = {} if near is None else pool.images(able)
        self._seen, self._near, self._hashes = seen, near, hashes
        self.faults: list[Fault] = []
        """Of pictures that could not be read."""

    def prepare(self, ids: Sequence[str]) -> None:
        """Hashes the pictures of some samples, several at a time."""
        named = [(i, self._images[i]) for i in ids if i in self._images and i not in self._hashes]
        if not named:
            return
        with ThreadPoolExecutor(available_cores()) as threads:
            found = threads.map(lambda one: hash_of(one[1], sample=one[0]), named)
            self._hashes.update(zip((i for i, _ in named), found, strict=True))

    def refusal(self, sample_id: str) -> str | None:
        """Why a picture is passed over, or None."""
        found = self._hashes.get(sample_id)
        if isinstance(found, Fault):
            self.faults.append(found)
            return "the picture cannot be read"
        if found is None or self._near is None:
            return None
        if (twin := self._seen.near(found, most=self._near)) is not None:
            return f"near-duplicate of {twin}"
        self._seen.add(found, f"'{sample_id}'")
        return None

    def check(self) -> None:
        """Raise `FormatError` where pictures were asked for and not one of them could be read: then they are not where they should be."""
        if self.faults and not any(isinstance(found, int) for found in self._hashes.values()):
            first = self.faults[0]
            told = f"{first.problem}, and none of the other {len(self.faults) - 1} pictures that were looked at can be read"
            raise FormatError(replace(first, problem=told) if len(self.faults) > 1 else first)
