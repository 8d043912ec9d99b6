"""The obvious service of scores: what `benchmarks.serve` measures against.

Models are built once, at start; each request reads its customers' events into a DataFrame and scores them as
`benchmarks.obvious_pipeline` does, in a thread of FastAPI's pool.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import bindparam, create_engine, text

from benchmarks.obvious_pipeline import EVENTS, ObviousScorer
from benchmarks.scored_shop import settings_of

__all__ = ["make_app"]

_OF_SOME = text(f"{EVENTS} WHERE customer.customer_id IN :ids").bindparams(bindparam("ids", expanding=True))


class _Asked(BaseModel):
    customer_ids: list[str]


def make_app(folder: Path, database_url: str | None = None) -> FastAPI:
    """Return the service of the shop in a folder."""
    scorer = ObviousScorer(folder)
    engine = create_engine(database_url or settings_of(folder).database_url)
    app = FastAPI()

    def score(ids: list[str]) -> list[dict[str, Any]]:
        with engine.connect() as connection:
            events = pd.read_sql(_OF_SOME, connection, params={"ids": ids}, dtype={"value": np.float64})
        if events.empty:
            return []
        scores = scorer.score(events).reset_index()
        scores = scores.astype(object).where(scores.notna(), None)
        found = [dict(zip(map(str, row), row.values(), strict=True)) for row in scores.to_dict(orient="records")]
        for each in found:
            each["reasons"] = json.loads(each["reasons"])
        return found

    @app.get("/score/{customer_id}")
    def read_score(customer_id: str) -> dict[str, Any]:
        found = score([customer_id])
        if not found:
            raise HTTPException(404)
        return found[0]

    @app.post("/scores")
    def read_scores(asked: _Asked) -> list[dict[str, Any]]:
        return score(asked.customer_ids)

    return app
