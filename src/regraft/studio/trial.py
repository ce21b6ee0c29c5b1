"""A draft beside the template in use, on the same rows: does the text make the answers better?

For each template a contender learns from the days before a cut and foresees examples of the days after it, which it has
not seen. Both read the same people, items and history; only the text differs. The unit that is drawn for intervals is
the person.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from regraft.data.draws import uniform
from regraft.data.stream import Stream
from regraft.errors import ConfigError, DataError
from regraft.files import write_text
from regraft.metrics.intervals import Difference, Interval, bootstrap
from regraft.prompts.template import Template
from regraft.release.runs import date_of
from regraft.setup.config import ContenderOptions
from regraft.setup.prompting import confined
from regraft.setup.site import Site
from regraft.state.database import transaction
from regraft.strategies.contender import Contender, new_contender
from regraft.workbench import Workbench

EXAMPLES = 200
LEARN = 2_000  # newest examples before the cut that both learn from
QUICK = ContenderOptions(use="analytic")  # a head in closed form: what the frozen model makes of the text
MEASURES = ("auc", "log_loss")
TRIAL_KEY = 21  # of the draw of examples: every trial of a site on the same days reads the same ones
Tell = Callable[[str], object]


@dataclass(frozen=True)
class Tried:
    """One template: AUC and log-loss with 95 % intervals, tokens per event, CPU seconds that its contender learnt."""

    template: str
    hash: str
    auc: Interval
    log_loss: Interval
    tokens: float
    seconds: float


@dataclass(frozen=True)
class Trial:
    """`differences` are those of the draft minus the template it is compared with, by measure."""

    draft: Tried
    against: Tried
    differences: dict[str, Difference]
    contender: str
    rows: int
    people: int
    learnt: int
    days: tuple[str, str]  # first and last day of the examples

    @property
    def verdict(self) -> str:
        """better, worse, or open: the interval of AUC lies on one side of zero, or does not."""
        low, high = self.differences["auc"].low, self.differences["auc"].high
        if not (low > 0 or high < 0):
            return "open"
        return "better" if low > 0 else "worse"

    @property
    def sentence(self) -> str:
        """The verdict in words, with what it rests on."""
        seen, base = self.differences["auc"], f"on {self.rows:,} examples of {self.people:,} people"
        if seen.low != seen.low:
            return f"Too little data {base}: the difference in AUC is {seen.estimate:+.4f} and has no interval."
        number = f"{seen.estimate:+.4f} AUC [{seen.low:+.4f}, {seen.high:+.4f}] {base}"
        return {
            "better": f"{self.draft.template} is better than {self.against.template}: {number}.",
            "worse": f"{self.draft.template} is worse than {self.against.template}: {number}.",
            "open": f"No difference is shown: {number}. More examples would narrow the interval.",
        }[self.verdict]

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it; null where there is no interval."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)), parse_constant=lambda _: None)
        return plain | {"verdict": self.verdict, "sentence": self.sentence}


def trial(
    site: Site, draft: str, against: str | None = None, examples: int = EXAMPLES, use: str | None = None,
    tell: Tell = str,
) -> Trial:  # fmt: skip
    """Tries a draft against another template (None: the one in use) and keeps what was found in the site's reports.

    `use` names a contender of regraft.yaml that learns; None: the closed-form head, which takes no training.

    Raises DataError where the closed days hold too few examples, ConfigError where both templates are one.
    """
    texts = confined(site, draft), confined(site, against)
    if texts[0].hash == texts[1].hash:
        raise ConfigError(
            "template '{draft}'", "is the text of {other}", "two different templates", draft=draft, other=texts[1].name
        )
    with transaction(site.engine) as connection:
        cuts = site.closed_cuts(connection)
    bench = Workbench(site, site.stream(cuts))
    past, cases = _split(bench.stream, examples)
    options, rows = _contender(site, use), sum(map(len, cases))
    labels, users = (np.concatenate([getattr(view, name) for view in cases]) for name in ("labels", "users"))
    found, tried = [], []
    for text in texts:
        tell(f"{options.label} learns from {len(past):,} examples under {text.name} and foresees {rows:,}")
        contender = _under(bench, text, options)
        took = contender.renew(past).cost.cpu_seconds
        scores = np.concatenate([contender.score(view) for view in cases])
        found.append(bootstrap(labels, scores, users, np.zeros(rows)))
        tokens = _tokens(bench, text, cases[-1])
        auc, loss = (found[-1].interval(name) for name in MEASURES)
        tried.append(Tried(text.name, text.hash, auc, loss, tokens, took))
    done = Trial(
        tried[0], tried[1], {name: found[0].minus(found[1], name) for name in MEASURES}, options.label, rows,
        len(np.unique(users)), len(past), (_day(cases[0], 0), _day(cases[-1], -1)),
    )  # fmt: skip
    _keep(site, done)
    return done


def kept(site: Site) -> list[dict[str, Any]]:
    """What trials found, newest first, as JSON holds it."""
    files = sorted((site.reports / "prompts").glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


# -- inside --------------------------------------------------------------------------------------------


def _split(stream: Stream, examples: int) -> tuple[Stream, list[Stream]]:
    """(what is learnt from, what is foreseen, by period): newest examples before a day, and some from that day on."""
    last = first = stream.n_periods
    period = stream.period[stream.targets]
    while first > 2 and np.count_nonzero(period >= first) < examples:
        first -= 1
    ids = stream.ids[period >= first]
    drawn = ids[np.argsort(uniform(ids, TRIAL_KEY), kind="stable")[:examples]]
    views = [stream.cases(number) for number in range(first, last + 1)]
    cases = [chosen for view in views if len(chosen := view.only(np.isin(view.ids, drawn)))]
    past = stream.until(first)
    labels = np.concatenate([view.labels for view in cases]) if cases else np.zeros(0)
    if not len(past) or len(np.unique(labels)) < 2:
        raise DataError(
            "stream '{stream}'", "has {examples:,} examples to foresee and {past:,} to learn from",
            "both answers among them", "Close more days with: regraft update",
            stream=stream.name, examples=len(labels), past=len(past),
        )  # fmt: skip
    return past.only(slice(-LEARN, None)), cases


def _contender(site: Site, use: str | None) -> ContenderOptions:
    if use is None:
        return QUICK
    known = {one.label: one for one in site.options.contenders if one.kind == "strategy"}
    if use not in known:
        names = ", ".join(known)
        raise ConfigError(
            "contender '{use}'", "reads no prompts, or is not in regraft.yaml",
            "one of {names}" if known else "a strategy in regraft.yaml", use=use, names=names,
        )  # fmt: skip
    return known[use]


def _under(bench: Workbench, template: Template, options: ContenderOptions) -> Contender:
    from regraft.lm.lab import ModelLab

    lab = ModelLab(bench.workshop.reading(template), bench.site.options.seed)
    settings = bench.site.options.settings_of(options)
    return new_contender(
        options.kind, options.use, settings, bench.regime, bench.site.options.seed, options.calibration, lab
    )


def _tokens(bench: Workbench, template: Template, cases: Stream) -> float:
    from regraft.lm.token_view import tokens_per_event

    return tokens_per_event(bench.workshop.reading(template).encoder, cases)


def _day(view: Stream, example: int) -> str:
    return date_of(int(view.time[view.targets[example]]))


def _keep(site: Site, found: Trial) -> None:
    place = site.reports / "prompts" / f"{found.draft.hash[:12]}-{found.against.hash[:12]}.json"
    write_text(place, json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
