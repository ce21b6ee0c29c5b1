"""Prompt templates: one Jinja2 file that staff can edit, rendered in a sandbox.

A template has blocks. `yes` and `no` are the two answers. A *timeline* template adds `head` (what the
reader of the prompt must know, once) and `event` (one item as it is about to be judged; the answer
follows it). A *single* template adds `prompt` (the lists `liked` and `disliked` and one `target`).
Inside, `item.title`, `item.<attribute>` and `facts.<name>` may be used; labels cannot be reached.

Rendering never sees item text. It yields pieces: literal text, and slots where a field of an item goes,
so that a title cannot close a sentence, forge an answer or change where the answer is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import jinja2
from jinja2 import meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from regraft.errors import TemplateError
from regraft.prompts.pieces import FACT, MARK, Fields, Piece, Slot, marked, pieces_of
from regraft.said import Said

SUFFIX = ".jinja"
KINDS = {"timeline": ("head", "event", "yes", "no"), "single": ("prompt", "yes", "no")}
GIVEN = {"timeline": ("item", "facts"), "single": ("liked", "disliked", "target", "facts")}
NAMES = {  # what a block may use
    "event": "only item.<field> and facts.<name>",
    "prompt": "only liked, disliked, target and facts.<name>",
}
PLAIN = "plain text without variables"  # what the other blocks hold
LONGEST = 1_000_000  # characters of one rendered block, before item text is put in


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, less what a prompt never needs: chance, string methods, arithmetic that grows without bound."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
        )
        for name in ("random", "batch", "center", "format", "indent"):
            del self.filters[name]
        del self.globals["lipsum"]

    def call_binop(self, context: object, operator: str, left: object, right: object) -> object:
        raise SecurityError(f"computes with '{operator}'")

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        return not isinstance(obj, str) and super().is_safe_attribute(obj, attr, value)


class Template:
    """One template. `hash` covers its whole text; two templates with one hash render alike."""

    def __init__(self, source: str, name: str = "template") -> None:
        self.source, self.name = source, name
        self.hash = hashlib.blake2b(source.encode(), digest_size=16).hexdigest()
        environment = _Sandbox()
        try:
            self._tree = environment.parse(source)
            self._compiled = environment.from_string(source)
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(
                "template '{name}' line {line}", "{message}", "valid Jinja2 (a bracket may be missing)",
                name=name, line=error.lineno, message=error.message,
            ) from error  # fmt: skip
        except RecursionError as error:
            raise TemplateError(
                "template '{name}'", "is nested too deeply", "a few levels of brackets", name=name
            ) from error
        self.kind: Literal["timeline", "single"] = self._kind()
        self._refuse_logic_on_items()
        self._refuse_logic_on_facts()
        self.yes, self.no = self._fixed("yes"), self._fixed("no")
        self.head = self._fixed("head") if self.kind == "timeline" else ""
        if not self.yes.strip() or not self.no.strip() or self.yes.strip() == self.no.strip():
            raise TemplateError(
                "template '{name}'", "the answers are {yes} and {no}", "two different, non-empty answers",
                name=name, yes=repr(self.yes), no=repr(self.no),
            )  # fmt: skip

    @classmethod
    def load(cls, name: str | Path) -> Template:
        """A template by library name or file path."""
        return cls(*source_of(name))

    @cached_property
    def facts(self) -> list[str]:
        """Names of the facts the template uses, in order of first use."""
        return list(dict.fromkeys(self._attributes_of("facts")))

    @cached_property
    def fields(self) -> list[str]:
        """Item fields the template uses, whatever the item is called there (item, target, a loop variable)."""
        return list(dict.fromkeys(self._item_fields()))

    @cached_property
    def unknown_names(self) -> list[str]:
        """Variables that no block of this kind is given, sorted."""
        return sorted(meta.find_undeclared_variables(self._tree) - {*GIVEN[self.kind], *self._compiled.globals})

    @cached_property
    def written(self) -> str:
        """All text written into the block before the answer, loops and conditions left aside, a break between parts."""
        name = "event" if self.kind == "timeline" else "prompt"
        blocks = (block for block in self._tree.find_all(nodes.Block) if block.name == name)
        parts = (part for block in blocks for part in block.find_all((nodes.TemplateData, nodes.Const)))
        texts = (p.data if isinstance(p, nodes.TemplateData) else getattr(p, "value", None) for p in parts)
        return "\n".join(text for text in texts if isinstance(text, str))

    def event(self, present: Sequence[str], facts: Mapping[str, str]) -> list[Piece]:
        """Pieces of one event. `present` names the item's non-empty fields."""
        return self.rendered({"block": "event", "present": [*present], "facts": {**facts}})

    def skeleton(self, present: Sequence[str]) -> list[Piece]:
        """Pieces of an event in which facts are slots too: one rendering serves every event."""
        return self.event(present, {name: marked(FACT, name) for name in self.facts})

    def prompt(
        self,
        liked: Sequence[tuple[int, Sequence[str]]],
        disliked: Sequence[tuple[int, Sequence[str]]],
        target: tuple[int, Sequence[str]],
        facts: Mapping[str, str],
    ) -> list[Piece]:
        """Pieces of one whole prompt; items are given as (number, names of non-empty fields)."""
        given = {"liked": _items(liked), "disliked": _items(disliked), "target": _items([target])[0]}
        return self.rendered({"block": "prompt", **given, "facts": {**facts}})

    def rendered(self, asked: Mapping[str, Any]) -> list[Piece]:
        """Pieces of the block that `event` or `prompt` asks for, in values that JSON can hold.

        All rendering passes here: a template that is rendered elsewhere overrides this and nothing else.
        """
        facts = asked["facts"]
        if asked["block"] == "event":
            slots = [*((0, name) for name in asked["present"]), *((FACT, name) for name in facts)]
            return self._render("event", {"item": Fields(0, asked["present"]), "facts": facts}, frozenset(slots))
        lists = {name: [Fields(*item) for item in asked[name]] for name in ("liked", "disliked")}
        items = (*asked["liked"], *asked["disliked"], asked["target"])
        slots = [(number, name) for number, present in items for name in present]
        return self._render("prompt", {**lists, "target": Fields(*asked["target"]), "facts": facts}, frozenset(slots))

    # -- inside --------------------------------------------------------------------------------

    def _kind(self) -> Literal["timeline", "single"]:
        blocks = set(self._compiled.blocks)
        for kind, needed in KINDS.items():
            if set(needed) <= blocks:
                return kind  # type: ignore[return-value]
        raise TemplateError(
            "template '{name}'", "has the blocks {blocks}",
            "head, event, yes, no for a timeline, or prompt, yes, no for a single prompt",
            name=self.name, blocks=", ".join(sorted(blocks)) or Said("(none)"),
        )  # fmt: skip

    def _attributes_of(self, owner: str) -> Iterator[str]:
        for node in self._tree.find_all(nodes.Getattr):
            if isinstance(node.node, nodes.Name) and node.node.name == owner:
                yield node.attr

    def _item_fields(self) -> Iterator[str]:
        """Names read from anything but `facts` and Jinja's own: x.title, x["title"], map(attribute="title")."""
        for node in self._tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Keyword)):
            name: object = None
            if isinstance(node, nodes.Keyword):
                name = node.key == "attribute" and getattr(node.value, "value", None)
            elif isinstance(node, nodes.Getattr | nodes.Getitem) and _is_item(node.node):
                name = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
            if isinstance(name, str):
                yield name

    def _refuse_logic_on_items(self) -> None:
        """A field may be printed, or asked whether it is there; its text is put in after rendering."""
        for node in self._tree.find_all((nodes.Filter, nodes.Test, nodes.Compare)):
            parts: list[nodes.Node | None] = []
            if isinstance(node, nodes.Compare):
                what, parts = Said("compares"), [node.expr, *(operand.expr for operand in node.ops)]
            elif isinstance(node, nodes.Filter):
                what, parts = Said("applies the filter '{filter}' to", filter=node.name), [node.node]
            elif isinstance(node, nodes.Test):
                what, parts = Said("applies the test '{test}' to", test=node.name), [node.node]
            for part in parts:
                if isinstance(part, nodes.Getattr) and isinstance(part.node, nodes.Name) and _is_item(part.node):
                    field = f"{part.node.name}.{part.attr}"
                    code = f"{{% if {field} %}}"
                    raise TemplateError(
                        "template '{name}' line {line}", "{what} {field}",
                        "item text as it is: it is put in after rendering, so this would have no effect",
                        "Ask whether an item has the field with: {code}",
                        name=self.name, line=node.lineno, what=what, field=field, code=code,
                    )  # fmt: skip

    def _refuse_logic_on_facts(self) -> None:
        """Facts may be printed and nothing else, so that one rendering serves every event."""
        printed = {id(part) for output in self._tree.find_all(nodes.Output) for part in output.nodes}
        reads = [n for n in self._tree.find_all(nodes.Getattr) if getattr(n.node, "name", "") == "facts"]
        plain = {id(node.node) for node in reads}
        other = [n for n in self._tree.find_all(nodes.Name) if n.name == "facts" and id(n) not in plain]
        for node in (*(n for n in reads if id(n) not in printed), *other):
            fact = f"facts.{node.attr}" if isinstance(node, nodes.Getattr) else "facts"
            code = f"{{{{ {fact if fact != 'facts' else 'facts.<name>'} }}}}"
            raise TemplateError(
                "template '{name}' line {line}", "computes with {fact}", "facts to be printed as they are: {code}",
                name=self.name, line=node.lineno, fact=fact, code=code,
            )  # fmt: skip

    def _fixed(self, block: str) -> str:
        """A block that may not depend on any variable."""
        return "".join(p for p in self._render(block, {}) if isinstance(p, str))

    def _render(
        self, block: str, values: Mapping[str, object], slots: frozenset[tuple[int, str]] = frozenset()
    ) -> list[Piece]:
        where = Said("template '{name}' block '{block}'", name=self.name, block=block)
        try:
            context = self._compiled.new_context(dict(values))
            text = _joined(self._compiled.blocks[block](context), where)
        except TemplateError:
            raise
        except SecurityError as error:
            raise TemplateError(where, "{reason}", "no access to internals", reason=error) from error
        except Exception as error:
            known = {name for given in GIVEN.values() for name in given}
            unknown = [name for name in self.unknown_names if name not in known]
            raise TemplateError(
                where,
                "cannot be rendered: {reason} (unknown names: {names})" if unknown else "cannot be rendered: {reason}",
                NAMES.get(block, PLAIN),
                reason=error, names=", ".join(unknown),
            ) from error  # fmt: skip
        pieces = pieces_of(text)
        for piece in pieces:
            whole = (piece.item, piece.field) in slots if isinstance(piece, Slot) else not MARK.search(piece)
            if not whole:
                code = "{{ item.title }}"
                raise TemplateError(
                    where, "computes with the text of an item", "fields printed as they are: {code}", code=code
                )
        return pieces


def _items(items: Sequence[tuple[int, Sequence[str]]]) -> list[tuple[int, list[str]]]:
    return [(int(number), [*present]) for number, present in items]


def _joined(parts: Iterator[str], where: Said) -> str:
    """The text of a block; TemplateError as soon as it is longer than any prompt."""
    found, length = [], 0
    for part in parts:
        found.append(part)
        length += len(part)
        if length > LONGEST:
            raise TemplateError(
                where, "writes more than {most:,} characters", "a prompt that a model can read", most=LONGEST
            )
    return "".join(found)


def _is_item(owner: nodes.Node) -> bool:
    """Can this be an item: a name, or an element of a list, but not a field, `facts` or Jinja's own?"""
    return not isinstance(owner, nodes.Getattr) and getattr(owner, "name", "") not in ("facts", "loop", "self")


def source_of(name: str | Path) -> tuple[str, str]:
    """(text, short name) of a template by library name or file path."""
    path = Path(name)
    if path.suffix == SUFFIX or path.is_file():
        try:
            return path.read_text(encoding="utf-8"), path.stem
        except (OSError, UnicodeDecodeError) as error:
            raise TemplateError(
                "template '{name}'", "cannot be read: {reason}", "a UTF-8 text file", name=name, reason=error
            ) from error
    found = resources.files("regraft.prompts.library") / f"{name}{SUFFIX}"
    if not found.is_file():
        raise TemplateError(
            "template '{name}'", "is not in the library and not a file", "one of {names}",
            name=name, names=", ".join(library()),
        )  # fmt: skip
    return found.read_text(encoding="utf-8"), str(name)


def library() -> dict[str, str]:
    """Template names shipped with regraft and their summary line (the comment that opens the file)."""
    found = {}
    for path in sorted(resources.files("regraft.prompts.library").iterdir(), key=lambda p: p.name):
        if path.name.endswith(SUFFIX):
            first = path.read_text(encoding="utf-8").split("\n", 1)[0]
            found[path.name.removesuffix(SUFFIX)] = first.strip("{}# ")
    return found
