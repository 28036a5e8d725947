"""A program that writes ratings and boxes of masks until it is killed, and says of each when it was told that it is kept.

It is started once. For each line `URL {json}` on its standard input it makes a child that opens the database and writes with several
threads; the child's number, and then every acknowledged write, stand in the lines of its output. When the child is gone it says `gone`.
"""

from __future__ import annotations

import json
import os
import sys
import threading

import numpy as np

from figureground.review.store import masks, ratings
from figureground.review.store.database import Database, open_database

SIZE_HW = (300, 520)
PLACES = 12


def rating_of(n: int) -> tuple[int, int]:
    """Place and score of a reviewer's n-th rating; his next one of the same place is another score."""
    return n % PLACES, n // PLACES % 5 + 1


def box_of(n: int) -> masks.Box:
    """The n-th box that is painted; it lies over several tiles now and then."""
    rng = np.random.default_rng(n)
    x, y = int(rng.integers(SIZE_HW[1] - 8)), int(rng.integers(SIZE_HW[0] - 8))
    height, width = int(rng.integers(1, SIZE_HW[0] - y + 1)), int(rng.integers(1, SIZE_HW[1] - x + 1))
    return x, y, np.full((height, width), n % 3, np.uint8)


def rate(database: Database, who: int, n: int) -> None:
    """Writes and says one rating after another."""
    while True:
        place, score = rating_of(n)
        with database.write() as c:
            ratings.save(c, who, place=place, showing=0, score=score, out_of_domain=False, seconds=n)
        say(f"r {who} {n}")
        n += 1


def draw(database: Database, mask: int, n: int) -> None:
    """Paints and says one box after another; the n-th save is made on version n."""
    while True:
        with database.write() as c:
            masks.save_boxes(c, mask, key=f"k{n}", version=n, boxes=[box_of(n)], actions=1, seconds=1)
        say(f"m {mask} {n}")
        n += 1


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    from conftest import small_project

    for line in sys.stdin:
        url, _, begin = line.partition(" ")
        if (child := os.fork()) == 0:
            database = open_database(url, small_project(size_hw=SIZE_HW))
            say(f"pid {os.getpid()}")
            works = [(rate, int(who), n) for who, n in json.loads(begin)["ratings"].items()]
            works += [(draw, int(mask), n) for mask, n in json.loads(begin)["masks"].items()]
            for work, number, n in works:
                threading.Thread(target=work, args=(database, number, n)).start()
            threading.Event().wait()
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    main()
