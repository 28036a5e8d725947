"""Starts and ends of the server without a visitor, and labels from elsewhere."""

from __future__ import annotations

from tests.review.server.world import with_models

from figureground.data.dataset import open_dataset
from figureground.data.predictions import open_predictions
from figureground.review.exchange.labels import write_labels as write_imported
from figureground.review.exchange.masks import LabelledMask
from figureground.review.options import ReviewOptions
from figureground.review.server import serve as serving
from figureground.review.server.serve import Where, serve
from figureground.review.store import people, ratings


def served(pool, out, monkeypatch, *, tokens=False, asked=None, **given):
    """One start and end of the server without a visitor; what was said."""
    said: list[str] = []

    def run(app, _listener, writer, *_rest):
        if asked is not None:
            asked(app, writer)

    monkeypatch.setattr(serving, "_run", run)
    options = given.pop("options", None) or with_models(ReviewOptions(), pool)
    where = Where(port=0, sign_in=tokens)
    serve(str(pool), out=out, options=options, where=where, reviewer="me", browser=False, say=said.append, **given)
    return said


def rate(app, place=0, score=4, reviewer="me"):
    database = app.state.room.database
    with database.write() as connection:
        number = people.known(connection, reviewer).number
        ratings.save(connection, number, place=place, showing=0, score=score, out_of_domain=False, seconds=1)


def import_masks(pool, out, *, reviewer="Lin", status="submitted", name="rival"):
    """Masks of the first three pictures, as `labels import` writes them."""
    dataset = open_dataset(str(pool))
    drawn = open_predictions(f"png:{pool / name}", dataset.classes).source
    masks = [LabelledMask(id=f"p{n}", image=None, runs=drawn.read(f"p{n}")) for n in range(3)]
    return write_imported(out, masks, dataset.classes, reviewer=reviewer, status=status, source="test")
