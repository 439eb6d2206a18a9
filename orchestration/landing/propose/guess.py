"""Which contract entity a sample is, and which column fills which of its fields: by names, and by what columns look like.

Every guess says how sure it is. How a column is turned into a field belongs in `expressions`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from orchestration.landing.contract import Entity, Field, load_contract
from orchestration.landing.mapping import VERSION_FIELDS
from orchestration.landing.propose.expressions import column_sql, write_expression
from orchestration.landing.propose.names import ELSEWHERE, file_score, folded, load_synonyms, name_score
from orchestration.landing.propose.shapes import Shape
from orchestration.landing.readers import ROW_NUMBER, literal

ENOUGH = 0.5  # a guess that is less sure is not written
_BY_SHAPE = {"phone": ("phone", 0.6), "email": ("email", 0.7)}  # field → the pattern that tells it without a name
_ONLY_TIME = 0.5  # the only time of a file is when the fact happened
_VERSION = 0.9
_ASSUMED = 0.4
_NUMBERS = ("integer", "decimal", "amount")
_PERSON = ("full_name", "phone", "email", "address", "identifier_value", "remark")


@dataclass(frozen=True)
class Context:
    """What the file does not say: `name` of the source, the brand's `currency`, words that SQL keeps for itself."""

    name: str
    currency: str
    place: str = ""  # path or table
    keywords: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Guess:
    """An expression for a field. `confidence` 0 to 1; `shape` of the column it reads, None for what is assumed."""

    field: Field
    sql: str
    confidence: float
    note: str = ""
    shape: Shape | None = None


@dataclass(frozen=True)
class EntityGuess:
    """A sample as one entity. `missing`: required fields that nothing was found for."""

    entity: Entity
    score: float
    guesses: dict[str, Guess]
    missing: list[Field]
    unused: list[Shape]  # kept in extra_fields
    ignored: list[Shape]  # dropped: they name people, or number the rows
    versions: dict[str, Guess] = field(default_factory=dict)
    operation: Shape | None = None  # the column of a change log that says what was done


def guess_entity(
    shapes: list[Shape], context: Context, entity: str | None = None
) -> tuple[EntityGuess, EntityGuess | None]:
    """The entity that a sample most likely is (or the one that is given), and the next likely one."""
    contract = load_contract()
    if entity is not None:
        return _as_entity(contract[entity], shapes, context), None
    ranked = sorted((_as_entity(found, shapes, context) for found in contract.values()), key=lambda g: -g.score)
    return ranked[0], ranked[1]


def _as_entity(entity: Entity, shapes: list[Shape], context: Context) -> EntityGuess:
    versions, operation, taken = _versions(entity, shapes, context)
    free = [shape for shape in shapes if shape.name not in taken]
    guesses = _assigned(entity, free, context)
    for name, shape in _only_time(entity, guesses, free):
        guesses[name] = _guess(entity.field(name), shape, _ONLY_TIME, context)
    for name, assumed in _assumed(entity, guesses, shapes, context).items():
        guesses.setdefault(name, assumed)
    used = {guess.shape.name for guess in guesses.values() if guess.shape} | taken
    left = [shape for shape in shapes if shape.name not in used]
    ignored = [shape for shape in left if names_people(shape) or _numbers_rows(shape, shapes)]
    return EntityGuess(
        entity=entity,
        score=_score(entity, guesses, shapes, context),
        guesses={f.name: guesses[f.name] for f in entity.fields if f.name in guesses},
        missing=[f for f in entity.fields if f.required and f.name not in guesses],
        unused=[shape for shape in left if shape not in ignored],
        ignored=ignored,
        versions=versions,
        operation=operation,
    )


def _score(entity: Entity, guesses: dict[str, Guess], shapes: list[Shape], context: Context) -> float:
    """How well a sample fills an entity: its required fields, the share of the columns used, the file's name."""
    required = [f for f in entity.fields if f.required]
    read = [guess for guess in guesses.values() if guess.shape]
    covered = sum(guesses[f.name].confidence for f in required if f.name in guesses) / len(required)
    used = sum(guess.confidence for guess in read) / max(1, len(shapes))
    score = 0.4 * covered + 0.45 * used + 0.15 * file_score(entity.name, context.place)
    key = [guesses[name] for name in entity.key if name in guesses]
    if not any(guess.shape for guess in key):
        score -= 0.2
    # A thing has one row; a file in which its key repeats is about something else.
    if len(entity.key) == 1 and key and key[0].shape and not key[0].shape.is_unique:
        score -= 0.25 * (1 - key[0].shape.distinct / max(1, key[0].shape.filled))
    return score


# ---- columns and fields ------------------------------------------------------------------------------------------


def names_people(shape: Shape) -> bool:
    """Whether a column seems to name or reach a person, by its values or by its name."""
    known = load_synonyms().fields
    return shape.is_personal or any(folded(shape.name) in known[name] for name in _PERSON)


def _numbers_rows(shape: Shape, shapes: list[Shape]) -> bool:
    """The nameless first column of an export: its index."""
    return shape is shapes[0] and shape.name == "unnamed_1" and shape.is_unique and shape.mostly("whole")


def _fit(entity: Entity, field: Field, shape: Shape) -> float:
    """How well a column's values suit a field: 0 not at all, 1 well; above 1 they speak for it."""
    if shape.filled == 0:
        return 0.7
    if field.type in ("timestamp", "date"):
        return 1.0 if shape.is_temporal else 0.0
    if field.type in _NUMBERS:
        return _fits_number(field, shape)
    if field.type == "boolean":
        return 1.0 if shape.is_boolean else 0.0
    if field.name in _BY_SHAPE:
        return 1.1 if shape.mostly(_BY_SHAPE[field.name][0]) else 0.6
    if shape.is_personal and field.pii != "direct":
        return 0.0
    if field.allowed:
        return 1.0 if shape.is_coded or shape.distinct <= 8 else 0.3
    if field.name == "birthday":
        return 1.0 if shape.is_temporal else 0.5
    if field.name == "full_name":
        return 0.0 if shape.is_numeric or shape.is_temporal else 1.0
    return _fits_text(entity, field, shape)


def _fits_number(field: Field, shape: Shape) -> float:
    if field.name == "outcome_value" and shape.is_boolean:
        return 1.0
    if not shape.is_numeric or (shape.date_format and shape.mostly("whole")):
        return 0.0
    return 1.0 if field.type != "integer" or shape.mostly("whole") else 0.4


def _fits_text(entity: Entity, field: Field, shape: Shape) -> float:
    if shape.mostly("timestamp"):
        return 0.0
    is_key = field.name.endswith(("_key", "_code"))
    if is_key and shape.mostly("number") and not (shape.mostly("whole") or shape.mostly("float_id")):
        return 0.2
    if field.name == "arm":
        return 1.0 if shape.is_coded else 0.3
    return 0.6 if is_key and field.key and shape.distinct <= 2 < shape.rows and len(entity.key) == 1 else 1.0


def _assigned(entity: Entity, shapes: list[Shape], context: Context) -> dict[str, Guess]:
    """The surest pairs of field and column first, each of them once."""
    pairs = []
    for position, found in enumerate(entity.fields):
        for place, shape in enumerate(shapes):
            named = name_score(entity, found, shape.name)
            if names_people(shape) and found.pii != "direct" and (found.pii == "pseudonym" or named < ELSEWHERE):
                named = 0.0  # a person's name is no key, and no word for anything else
            score = named * _fit(entity, found, shape)
            pattern, alone = _BY_SHAPE.get(found.name, ("", 0.0))
            if pattern and shape.mostly(pattern):
                score = max(score, alone)
            if score >= ENOUGH:
                pairs.append((-min(score, 1.0), not found.required, position, place, found, shape))
    guesses: dict[str, Guess] = {}
    used: set[str] = set()
    for negative, _, _, _, found, shape in sorted(pairs, key=lambda pair: pair[:4]):
        if found.name not in guesses and shape.name not in used:
            guesses[found.name] = _guess(found, shape, -negative, context)
            used.add(shape.name)
    return guesses


def _guess(found: Field, shape: Shape, confidence: float, context: Context) -> Guess:
    written = write_expression(found, shape, column_sql(shape.name, context.keywords))
    return Guess(found, written.sql, round(confidence, 2), written.note, shape)


def _only_time(entity: Entity, guesses: dict[str, Guess], shapes: list[Shape]) -> list[tuple[str, Shape]]:
    """The required time of an entity and the file's only time, where their names do not say that they belong together."""
    wanted = [f.name for f in entity.fields if f.required and f.type == "timestamp" and f.name not in guesses]
    used = {guess.shape.name for guess in guesses.values() if guess.shape}
    times = [shape for shape in shapes if shape.is_temporal and shape.name not in used and not shape.is_personal]
    return [(wanted[0], times[0])] if len(wanted) == 1 and len(times) == 1 else []


# ---- what is assumed ---------------------------------------------------------------------------------------------


def _assumed(entity: Entity, guesses: dict[str, Guess], shapes: list[Shape], context: Context) -> dict[str, Guess]:
    """Required fields that follow from others, or that a source of one brand need not say."""
    found: dict[str, Guess] = {}

    def assume(name: str, sql: str, note: str) -> None:
        if any(f.name == name for f in entity.fields) and name not in guesses:
            found[name] = Guess(entity.field(name), sql, _ASSUMED, f"assumed: {note}")

    def read(name: str) -> str | None:
        return guesses[name].sql if name in guesses and guesses[name].shape else None

    if any(f.name == "currency_code" and f.required for f in entity.fields):
        assume("currency_code", literal(context.currency), "the brand's currency")
    if entity.name == "products":
        assume("product_kind", "'goods'", "all are goods")
    if entity.name == "order_lines":
        _assume_line(guesses, assume, read)
    if entity.name == "payments":
        assume("payment_kind", "'full'", "no deposits")
    if entity.name == "touches":
        assume("message_key", "'1'", "a campaign sends one message")
    if entity.name == "experiment_exposures":
        assume("experiment_code", literal(context.name), "one experiment, called as the source")
        outcome = guesses.get("outcome_value")
        if outcome and outcome.shape:
            assume("outcome_name", literal(outcome.shape.name), "called as its column")
    if entity.name == "orders" and (paid := read("paid_at")):
        assume("order_status", f"case when {paid} is null then 'created' else 'paid' end", "no later state is known")
    if entity.name == "refunds" and (refunded := read("refunded_at")):
        assume("refund_status", f"case when {refunded} is null then 'requested' else 'refunded' end", "by its time")
    is_numbered = entity.nature == "fact" and len(entity.key) == 1 and entity.key[0].endswith("_key")
    if is_numbered and any(guess.shape for guess in guesses.values()):
        columns = ", ".join(column_sql(s.name, context.keywords) for s in shapes if not s.is_nested)
        assume(
            entity.key[0], f"md5(concat_ws(',', {columns}))", "the row itself is the key: an exact repeat is the same"
        )
    return found


def _assume_line(
    guesses: dict[str, Guess], assume: Callable[[str, str, str], None], read: Callable[[str], str | None]
) -> None:
    quantity, price = read("quantity"), read("unit_price")
    if order := read("order_key"):
        numbered = f"row_number() over (partition by {order} order by {ROW_NUMBER})"
        assume("order_line_number", numbered, "numbered as they come")
    if quantity and price:
        product = f"try_cast({quantity} as decimal(18, 4)) * try_cast({price} as decimal(18, 4))"
        assume("line_amount", product, "quantity times price")
    signed = next((n for n in ("quantity", "line_amount") if n in guesses and _has_negative(guesses[n])), None)
    if signed:
        kind = f"case when try_cast({guesses[signed].sql} as decimal(18, 4)) < 0 then 'refund' else 'sale' end"
        assume("line_kind", kind, "what is negative came back")
    assume("line_kind", "'sale'", "every line is a sale")


def _has_negative(guess: Guess) -> bool:
    return guess.shape is not None and guess.shape.shares.get("negative", 0.0) > 0


# ---- versions ----------------------------------------------------------------------------------------------------


def _versions(entity: Entity, shapes: list[Shape], context: Context) -> tuple[dict[str, Guess], Shape | None, set[str]]:
    """What says which version of a row it is, the column of a change log's operations, and the columns used for them."""
    own = {name for f in entity.fields for name in load_synonyms().fields[f.name]}
    fits = {
        "changed_at": lambda shape: shape.is_temporal,
        "change_sequence": lambda shape: shape.mostly("whole"),
        "is_deleted": lambda shape: shape.is_boolean,
    }
    found: dict[str, Guess] = {}
    for version in VERSION_FIELDS:
        shape = _named(shapes, load_synonyms().versions[version.name] - own)
        if shape and fits[version.name](shape):
            found[version.name] = _guess(version, shape, _VERSION, context)
    operation = _named(shapes, load_synonyms().versions["operation"] - own)
    is_log = bool(operation and operation.mostly("operation") and found and "is_deleted" not in found)
    if operation and is_log:
        marks = ", ".join(literal(mark) for mark in load_synonyms().deletions)
        sql = f"{column_sql(operation.name, context.keywords)} in ({marks})"
        found["is_deleted"] = Guess(VERSION_FIELDS[2], sql, _VERSION, "what a change log calls a deletion", operation)
    return found, operation if is_log else None, {guess.shape.name for guess in found.values() if guess.shape}


def _named(shapes: list[Shape], names: Collection[str]) -> Shape | None:
    return next((shape for shape in shapes if folded(shape.name) in names and shape.filled), None)
