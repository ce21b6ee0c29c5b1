"""Objection: a person is served, and from the next close on nothing learns from them.

Their rows stay, as their own history: they are left out where rows become a stream (`Site.stream`), and a server tells
them to nobody's facts but their own (`prompts/live.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from regraft.data.pseudonyms import load_key, new_uid
from regraft.errors import DataError
from regraft.release.runs import now
from regraft.setup.site import Site
from regraft.state import ledger, objections, vault
from regraft.state.database import transaction


def object_to(site: Site, user: str, tell: Callable[[str], object] = str) -> bool:
    """Writes the objection of a person down, known to the site or not; whether it is new."""
    key = load_key(site.folder)
    (pseudonym,) = key.pseudonyms([user])
    with transaction(site.engine) as connection:
        if not vault.uids(connection, [pseudonym], key.id):
            tell(f"Nobody of the id '{user}' is known here yet: the objection counts from their first event on")
        uid = vault.uids(connection, [pseudonym], key.id, new_uid)[pseudonym]
        if not objections.add(connection, uid, now()):
            return False
        ledger.append(connection, "objected", {"objections": objections.moves(connection)[0]}, now())
        return True


def take_back(site: Site, user: str) -> bool:
    """Takes the objection of a person back; whether there was one. DataError where nobody of this id is known."""
    key = load_key(site.folder)
    (pseudonym,) = key.pseudonyms([user])
    with transaction(site.engine) as connection:
        uid = vault.uids(connection, [pseudonym], key.id).get(pseudonym)
        if uid is None:
            raise DataError(f"user '{user}'", "is not known to this site", "a person who objected")
        if not objections.withdraw(connection, uid):
            return False
        ledger.append(connection, "objection taken back", {"objections": objections.moves(connection)[0]}, now())
        return True
