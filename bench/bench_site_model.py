"""A request of a site whose champion is a large language model, against one prompt per candidate.

python bench/bench_site_model.py [--quick] [--repeats N] [--base DIR] [--runs runs/site-model] [--out docs/results]

The site is made from a drift world and kept in --runs. The model is --base, else SmolLM2-135M-Instruct where it is at
hand (make smollm2). Both sides score the same prompts of the default template in this process.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from bench_candidates import Pairs, score_pairs
from bench_site import closed, settings, story
from common import ROOT, Page, Row, a_real_base, arguments, gemm_probe, repeats, taken, write
from kept import once
from story import Story

from regraft.data.pseudonyms import VARIABLE
from regraft.serving.service import Service
from regraft.setup.site import Site

USERS, ITEMS, CANDIDATES = 12, 120, 100  # few people: the weights of an adapter do not change the time of a request


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--base", type=Path, default=None, help="a Hugging Face directory")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "site-model", help="where the site is kept")
    options = parser.parse_args()
    base, before = a_real_base(options.base), gemm_probe()
    if base is None:
        sys.exit("bench_site_model.py: no language model at hand. Run `make smollm2`, or give --base DIR.")
    made = story(options.runs, USERS, ITEMS, 1)
    once(options.runs / "promoted.json", lambda: promoted(made, base))
    row = request(made, base, repeats(options))
    page = Page(
        name="bench-site-model",
        title="A request of a site with a large language model",
        what=f"A site is made from a drift world of {USERS} people, a contender `never` on {base.name} is trained by `regraft update` and put in service; then the person "
        "with the longest history asks for scores, again and again.",
        how=[
            "Ours: the request path of the server (`score_request`), the person's history lying ready, the candidates read as isolated copies behind it.",
            f"One prompt per candidate: {CANDIDATES} prompts of the same tokens, padded, in batches, the history read anew in each.",
            "Both sides in one process, in turn.",
        ],
        caveats=["One person's request; texts are made and tokenised on our side alone."],
        quick=options.quick,
    )
    write(page, [row], (before, gemm_probe()), options.out)


def promoted(made: Story, base: Path) -> str:
    """The version with the language model, trained by an update and put in service by hand."""
    settings(made, base={"path": str(base.resolve())}, challengers=[{"use": "never"}])
    closed(made, made.days[0])
    version = str(json.loads(made.regraft("versions", made.site, "--json"))[-1]["version"])
    made.regraft("promote", made.site, version, "--accept", "measured")
    return version


def request(made: Story, base: Path, times: int) -> Row:
    """Seconds of a request with a warm history, and of one prompt per candidate."""
    os.environ[VARIABLE] = made.environment[VARIABLE]
    service = Service(Site.open(Path(made.site)))
    live, items = service.live, made.items["item_id"].to_list()[:CANDIDATES]
    user = service._who(busiest(made), service._at.data)[1]
    asked = live.request(user, items, live.now + 1)
    contender: Any = service.loaded.contender
    shop = contender.lab.workshop
    pairs = Pairs.of(shop.encoder.encode_request(asked))
    contender.score_request(asked)  # the history lies ready
    took = [
        (
            taken(lambda: contender.score_request(asked)).wall,
            taken(lambda: score_pairs(shop.base.model, shop.answers, pairs, 1)).wall,
        )
        for _ in range(times)
    ]
    service.stop()
    ours, theirs = (statistics.median(side) for side in zip(*took, strict=True))
    measure = f"s per warm request of {len(items)} candidates, {base.name}, template {shop.encoder.template.name}"
    return Row(measure, "one prompt per candidate", ours, theirs, times, 20.0)


def busiest(made: Story) -> str:
    return str(made.rows.group_by("user_id").len().sort("len", "user_id")["user_id"][-1])


if __name__ == "__main__":
    main()
