"""The tables of a site. Times are ms since 1970 UTC; JSON is text, so that SQLite and PostgreSQL hold the same."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)
Row = Integer().with_variant(BigInteger, "postgresql")  # SQLite numbers rows by INTEGER alone

# -- data ------------------------------------------------------------------------------------------

batches = Table(
    "batches", metadata,
    Column("id", Row, primary_key=True),
    Column("source", Text, nullable=False),  # name of the file, or "spool"
    Column("sha256", String(64), nullable=False),  # of the source
    Column("rows_in", BigInteger, nullable=False),
    Column("accepted", BigInteger, nullable=False),
    Column("set_aside", BigInteger, nullable=False),
    Column("already_there", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),  # accepted, held, skipped, rolled back
    Column("at", BigInteger, nullable=False),
)  # fmt: skip
files = Table(
    "files", metadata,
    Column("name", String(255), primary_key=True),  # relative to the site's folder data/
    Column("day", String(10), nullable=False),  # of the events, UTC
    Column("sha256", String(64), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("batch", Row, ForeignKey("batches.id"), nullable=False),
)  # fmt: skip
Index("ix_files_day", files.c.day)
merged = Table(
    "merged", metadata,
    Column("batch", Row, ForeignKey("batches.id"), primary_key=True),  # of a compaction: its files hold rows of others
    Column("source", Row, ForeignKey("batches.id"), primary_key=True),
    Column("first_row", BigInteger, nullable=False),  # row ids: those of a source lie together
    Column("last_row", BigInteger, nullable=False),
)  # fmt: skip
vault = Table(
    "vault", metadata,
    Column("pseudonym", String(64), primary_key=True),  # HMAC-SHA256 of the user's id
    Column("key_id", String(16), nullable=False),
    Column("uid", String(32), nullable=False, unique=True),  # random, 128 bits
)  # fmt: skip
erasures = Table(
    "erasures", metadata,
    Column("id", Row, primary_key=True),
    Column("uid", String(32), nullable=False),  # stays: a restored backup must not bring the person back
    Column("pseudonym", String(64), nullable=False),  # empty once the erasure is done
    Column("step", String(16), nullable=False),  # the last one finished
    Column("plan", Text, nullable=False),  # JSON: what was found and decided at its begin
    Column("at", BigInteger, nullable=False),
)  # fmt: skip
objections = Table(
    "objections", metadata,
    Column("uid", String(32), primary_key=True),  # served, but nothing learns from their rows
    Column("at", BigInteger, nullable=False),
)  # fmt: skip
counters = Table(
    "counters", metadata,
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),  # the next one to give out
)  # fmt: skip

# -- work ------------------------------------------------------------------------------------------

leases = Table(
    "leases", metadata,
    Column("name", String(255), primary_key=True),
    Column("holder", String(255), nullable=False),
    Column("fence", BigInteger, nullable=False),  # grows with every holder
    Column("expires", BigInteger, nullable=False),
)  # fmt: skip
runs = Table(
    "runs", metadata,
    Column("id", Row, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),  # hash of all that decides the outcome
    Column("kind", String(16), nullable=False),
    Column("date", String(10), nullable=False),
    Column("state", String(16), nullable=False),  # running, promoted, kept, held, superseded, skipped
    Column("step", String(16), nullable=False),  # the last one finished
    Column("fence", BigInteger, nullable=False),
    Column("details", Text, nullable=False),  # JSON: what the steps found
    Column("begun", BigInteger, nullable=False),
    Column("ended", BigInteger),
)  # fmt: skip
periods = Table(
    "periods",
    metadata,
    Column("number", Row, primary_key=True, autoincrement=False),  # 1, 2, 3, ...; 0 is the warm-up
    Column("begins", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),  # exclusive: the cut at which it was closed
    Column("run", Row, ForeignKey("runs.id"), nullable=False),
)
jobs = Table(
    "jobs", metadata,
    Column("id", Row, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("arguments", Text, nullable=False),  # JSON
    Column("state", String(16), nullable=False),  # waiting, running, done, failed
    Column("progress", Text, nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
)  # fmt: skip

keys = Table(
    "keys", metadata,
    Column("name", String(64), primary_key=True),  # whose key it is
    Column("hash", String(64), nullable=False, unique=True),  # SHA-256: the key itself is told once, when it is made
    Column("scopes", Text, nullable=False),  # JSON
    Column("per_minute", Integer, nullable=False),  # requests
)  # fmt: skip

# -- versions --------------------------------------------------------------------------------------

versions = Table(
    "versions", metadata,
    Column("name", String(128), primary_key=True),  # NAME-v000123
    Column("number", BigInteger, nullable=False, unique=True),
    Column("contender", String(128), nullable=False),
    Column("run", Row, ForeignKey("runs.id"), nullable=False),
    Column("cut", BigInteger, nullable=False),  # it saw nothing known at or after it
    Column("manifest", String(64), nullable=False),  # sha256 of manifest.json
    Column("lineage", Text, nullable=False),  # JSON
    Column("state", String(16), nullable=False),  # good, rejected, damaged, destroyed
    Column("at", BigInteger, nullable=False),
)  # fmt: skip
aliases = Table(
    "aliases", metadata,
    Column("name", String(32), primary_key=True),
    Column("version", String(128), ForeignKey("versions.name"), nullable=False),
    Column("epoch", BigInteger, nullable=False),  # grows with every move
)  # fmt: skip
alias_history = Table(
    "alias_history", metadata,
    Column("id", Row, primary_key=True),
    Column("alias", String(32), nullable=False),
    Column("version", String(128), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("entry", Row, ForeignKey("ledger.id"), nullable=False),
)  # fmt: skip
ledger = Table(
    "ledger", metadata,
    Column("id", Row, primary_key=True, autoincrement=False),  # 1, 2, 3, ... without a gap
    Column("at", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("details", Text, nullable=False),  # canonical JSON
    Column("previous", String(64), nullable=False),  # hash of the entry before
    Column("hash", String(64), nullable=False),
)  # fmt: skip

# -- what people decide with -----------------------------------------------------------------------

aggregates = Table(
    "aggregates", metadata,
    Column("day", String(10), primary_key=True),  # UTC
    Column("measure", String(64), primary_key=True),
    Column("arm", String(32), primary_key=True),  # empty: all
    Column("segment", String(255), primary_key=True),  # empty: all
    Column("value", Float),  # null: nothing to measure
    Column("low", Float),  # of the 95 % interval
    Column("high", Float),
    Column("n", BigInteger, nullable=False),  # people behind the value
)  # fmt: skip
Index(
    "ix_aggregates_measure", aggregates.c.measure, aggregates.c.arm, aggregates.c.segment, aggregates.c.day
)  # a page reads one measure over two years
pilots = Table(
    "pilots", metadata,
    Column("id", Row, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("salt", String(32), nullable=False),  # of both hashes
    Column("state", String(16), nullable=False),  # planned, running, stopped, decided
    Column("share", Float, nullable=False),  # of the people who are enrolled
    Column("plan", Text, nullable=False),  # JSON
    Column("begun", BigInteger),
    Column("ended", BigInteger),
)  # fmt: skip
templates = Table(
    "templates", metadata,
    Column("id", Row, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("hash", String(64), nullable=False),  # as a template's content hash in lineage
    Column("source", Text, nullable=False),
    Column("state", String(16), nullable=False),  # draft, approved, live, retired
    Column("author", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
)  # fmt: skip
