"""A site whose people live in a closed loop: they come, see the list of their arm, click, and return or stay away."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from regraft.data.drift_world_loop import ClosedLoop
from regraft.data.drift_world_settings import DriftWorld
from regraft.release.init import init
from regraft.release.update import update
from regraft.serving.service import Service
from regraft.setup.site import Site

SHOWN = 8


@dataclass
class Shop:
    """The site lies in folder/shop, which is served in this process."""

    folder: Path
    loop: ClosedLoop
    service: Service = field(init=False)

    @property
    def site(self) -> Site:
        return Site.open(self.folder / "shop")

    @classmethod
    def opened(
        cls, folder: Path, world: DriftWorld, opens: int, champion: str, challenger: str, **more: object
    ) -> Shop:
        """Made from the days before `opens`; contenders are given as in regraft.yaml."""
        made = cls(folder, ClosedLoop(world, opens))
        log = folder / "log"
        log.mkdir(parents=True)
        made.loop.history.interactions.drop("line").write_csv(log / "interactions.csv")
        made.loop.history.items.write_csv(log / "items.csv")
        (folder / "shop").mkdir()
        lines = [
            "name: shop", "data: {label: 'event == \"click\"'}", f"champion: {champion}",
            f"challengers: [{challenger}]",
            "repeat: true", *(f"{key}: {json.dumps(value)}" for key, value in more.items()),
        ]  # fmt: skip
        (folder / "shop" / "regraft.yaml").write_text("\n".join(lines))
        init(folder / "shop", log / "interactions.csv")
        made.service = Service(made.site)
        return made

    def live(self) -> int:
        """One day is lived and closed; the number of lists."""
        self.service.look()
        lists = 0
        for visit in self.loop.day():
            listed = self.service.recommend(visit.user_id, SHOWN, visit.time)
            shown = [one.item for one in listed.items]
            self.service.take(
                {
                    "user_id": visit.user_id, "item_id": item, "event": "click", "request_id": listed.request_id,
                    "time": visit.time + 3000 * (k + 1),
                }
                for k, (item, clicked) in enumerate(zip(shown, visit.see(shown), strict=True)) if clicked
            )  # fmt: skip
            lists += 1
        outcome = update(self.site)
        if outcome.state == "held":  # people behave otherwise than under the log's own recommender
            update(self.site, accept=outcome.run)
        return lists
