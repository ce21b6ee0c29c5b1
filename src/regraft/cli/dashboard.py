"""`regraft dashboard`: the pages of a site for the people who decide, in a browser or as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from regraft.cli.options import Folder, Force, Lang, Language
from regraft.cli.show import command, say, tell
from regraft.errors import ConfigError

LOCAL = ("127.0.0.1", "localhost", "::1")


class _ShowFirst(TyperGroup):
    """`regraft dashboard SITE` means `regraft dashboard show SITE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(help="Look at a site in a browser: is it well, does it pay, what was decided.", no_args_is_help=True, cls=_ShowFirst)  # fmt: skip


@app.command()
def show(
    folder: Annotated[Path | None, typer.Argument(metavar="[SITE]", help="Folder of the site, made by `regraft init`.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Show a simulated site with a pilot in it, made in SITE (default: demo-site) where it is not there yet.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8100,
    host: Annotated[str, typer.Option(help="Address to listen on. Beyond this machine, readers need a key of the scope read.")] = "127.0.0.1",
    name: Annotated[list[str], typer.Option(metavar="NAME", help="Name that the page goes by beyond this machine, e.g. shop.example; repeatable.")] = [],  # noqa: B006
) -> None:  # fmt: skip
    """Serve the pages; `show` may be left out.

    On this machine they are open to read. Whoever changes something signs in with a key of the scope operate: see `regraft keys make`.
    """
    import uvicorn

    from regraft.dashboard.app import LOOPBACK, make_app
    from regraft.setup.site import Site

    if demo:
        folder = _demo(folder or Path("demo-site"))
    elif folder is None:
        raise ConfigError(
            "regraft dashboard",
            "was given no site",
            "a folder made by regraft init",
            "Without one, look at a simulated site: regraft dashboard --demo",
        )
    local = host in LOCAL
    application = make_app(Site.open(folder), open_to_all=local, hosts=(*LOOPBACK, *name, *([] if local else [host])))
    say(f"Dashboard of {folder}: http://{host}:{port}   (Ctrl-C ends it)", error=True)
    say(f"To change something: {command('keys', 'make', folder, 'NAME', '--scope', 'operate')}", error=True)
    uvicorn.run(application, host=host, port=port, log_level="warning", access_log=False)


def _demo(folder: Path) -> Path:
    from regraft.dashboard.demo import SITE, make_demo

    if not (folder / SITE).is_dir():
        say(f"Simulating a site with a pilot in {folder}; that takes one to three minutes, once.", error=True)
        make_demo(folder, tell)
    return folder / SITE


@app.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the file goes.")] = Path("dashboard.html"),
    weeks: Annotated[int, typer.Option(help="Weeks that are shown: 4, 13, 26, 52 or 104.")] = 13,
    lang: Lang = Language.en,
    force: Force = False,
) -> None:
    """Write all pages into one file that needs no server."""
    from regraft.dashboard.export import export as write
    from regraft.dashboard.view import WEEKS, View
    from regraft.setup.site import Site

    if weeks not in WEEKS:
        raise ConfigError("--weeks", f"is {weeks}", "one of " + ", ".join(map(str, WEEKS)))
    path = write(Site.open(folder), out, View(lang=lang.value, weeks=weeks), force)
    say(f"{path} ({path.stat().st_size / 1e6:.2f} MB)")
