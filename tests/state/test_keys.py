import pytest
from sqlalchemy import select

from regraft.errors import StateError
from regraft.state import keys
from regraft.state.database import transaction
from regraft.state.tables import keys as table


def test_a_key_is_found_by_its_text_and_kept_as_a_hash(engine):
    with transaction(engine) as connection:
        key = keys.make(connection, "shop", ("recommend", "events"), per_minute=60)
        assert keys.found(connection, key) == keys.ApiKey("shop", ("events", "recommend"), 60)
        assert keys.found(connection, key + "x") is None
        assert key not in str(connection.execute(select(table)).all())


def test_a_revoked_key_is_nobodys(engine):
    with transaction(engine) as connection:
        key = keys.make(connection, "shop", ("events",))
        keys.revoke(connection, "shop")
        assert keys.found(connection, key) is None
        assert keys.listed(connection) == []
        with pytest.raises(StateError, match="does not exist"):
            keys.revoke(connection, "shop")


@pytest.mark.parametrize(("name", "scopes"), [("shop", ("events",)), ("other", ("everything",))])
def test_a_second_key_of_a_name_and_an_unknown_scope_are_refused(engine, name, scopes):
    with transaction(engine) as connection:
        keys.make(connection, "shop", ("events",))
        with pytest.raises(StateError, match="API key"):
            keys.make(connection, name, scopes)
