"""Names, layers, descriptions and SQL of dbt models, as docs/naming.md states them."""

from __future__ import annotations

import re

import pytest
import yaml
from dbt_files import (
    DESCRIBED,
    FOLDERS,
    MODELS_DIR,
    Project,
    read_yaml,
    relative,
    sql_files,
    without_comments,
)

from orchestration.dbt import PROJECT_DIR
from orchestration.settings import PROJECT_ROOT

NAMES = {
    "staging": r"stg_[a-z0-9_]+",
    "reference": r"ref_[a-z0-9_]+s",
    "intermediate": r"int_[a-z0-9]+(_[a-z0-9]+)*_[a-z]+ed",
    "marts": r"(dim|fct)_[a-z0-9_]+s(_history)?|brg_[a-z0-9]+_[a-z0-9_]+",
    "features": r"feat_members_[a-z0-9_]+",
    "tags": r"tags_[a-z]+(_history)?|member_tags(_long)?|tag_(catalogue|values|statistics|distributions|versions|history)",
    "segments": r"seg_[a-z0-9_]+",
    "metrics": r"agg_[a-z]+_[a-z0-9_]+",
    "ops": r"(?!stg_|int_|dim_|fct_|brg_|feat_|tags_|seg_|agg_)[a-z][a-z0-9_]*",
}

# Read by anybody: the clock, the cuts and what there is belong to the build, not to a subject.
# Bots, and whose an event is, are known in fct_events: visits are cut from it, and fct_sessions is made of them.
CUT_FROM_MARTS = {("int_visits_dated", "fct_events")}
BUILD_WIDE = {"int_clocks_resolved", "int_as_of_dates_spined", "int_rows_dated", "int_identifiers_judged"}
SCORES = {"stg_churn_scores", "stg_propensity_scores"}
# Clusters that Python finds after the marts.
CLUSTERS = {"stg_segment_members", "stg_segment_cards"}
# Sums of events by member and day: what tags are made of, where reading every event again would cost the whole history.
MEMBER_SUMS = {"agg_member_days", "agg_member_product_days"}
# Asked by incremental models, through macros/incremental: which orders and dates a run must build again.
TOUCHED = {"stg_order_lines_landed", "stg_orders_landed", "stg_products_landed"}

ONE_ENGINE_ONLY = {
    "date_diff(": r"\bdate_diff\s*\(",
    "date - interval": r"\binterval\s*'",
    "strftime / strptime": r"\bstr[fp]time\b",
    "quantile_cont / quantile_disc": r"\bquantile_(cont|disc)\b",
    "arg_max / arg_min": r"\barg_(max|min)\b",
    "exclude (…)": r"\bexclude\s*\(",
    "replace (…) after a star": r"\*\s*replace\s*\(",
    "unnest(": r"\bunnest\s*\(",
    "explode(": r"\bexplode\s*\(",
    "//": r"//",
    "generate_series / range(": r"\b(generate_series|range)\s*\(",
    "string_agg / group_concat / collect_list": r"\b(string_agg|group_concat|collect_list|array_agg|listagg)\s*\(",
    "regexp_*": r"\bregexp_\w+\s*\(",
    "strpos / instr": r"\b(strpos|instr)\s*\(",
    "json_*": r"\b(json_\w+|get_json_object)\s*\(",
    "asof join": r"\basof\b",
    "epoch functions": r"\b(epoch|epoch_ms|unix_timestamp|to_timestamp)\s*\(",
    "zone functions": r"\b(timezone|from_utc_timestamp|to_utc_timestamp)\s*\(|\bat time zone\b",
    "quoted identifier": r'"[a-z_]+"\.|\bas "',
    "log(": r"\blog\s*\(",
    "concat(": r"\bconcat\s*\(",
}


def one_engine_constructs(sql: str) -> list[str]:
    """Constructs in the SQL that one engine does not know, or reads differently."""
    # What stands inside Jinja is Python, not SQL.
    plain = re.sub(r"\{%.*?%\}", "", without_comments(sql), flags=re.DOTALL)
    return [name for name, pattern in ONE_ENGINE_ONLY.items() if re.search(pattern, plain, re.IGNORECASE)]


def ordering_terms(sql: str) -> list[str]:
    """Every term of every `order by`, up to the parenthesis that closes it."""
    terms: list[str] = []
    for match in re.finditer(r"\border\s+by\b", sql, re.IGNORECASE):
        depth, term = 0, ""
        for character in sql[match.end() :]:
            depth += (character == "(") - (character == ")")
            if depth < 0:
                break
            if character == "," and depth == 0:
                terms.append(term)
                term = ""
            else:
                term += character
        terms.append(term)
    return [" ".join(term.split()) for term in terms]


def reads_out_of_turn(folder: str, model: str, parent_folder: str, parent: str, code: str) -> bool:
    """Whether a model of `folder` may not read `parent`."""
    if (model, parent) in CUT_FROM_MARTS:
        return False
    if folder in ("tags", "segments") and parent in MEMBER_SUMS:
        return False
    if FOLDERS.index(parent_folder) > FOLDERS.index(folder):
        return True
    if parent_folder not in ("staging", "intermediate") or FOLDERS.index(folder) <= FOLDERS.index("marts"):
        return False
    return not (
        parent in BUILD_WIDE
        or (folder == "tags" and parent in SCORES)
        or (folder == "segments" and parent in CLUSTERS)
        or (folder == "ops" and parent_folder == "staging")
        or (parent in TOUCHED and "is_incremental()" in code and "touched_" in code)
    )


def test_folders_are_the_layers_and_their_schemas() -> None:
    assert {path.name for path in MODELS_DIR.iterdir() if path.is_dir()} == set(FOLDERS)
    settings = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text(encoding="utf-8"))["models"]["tessera"]
    schemas = {name: value["+schema"] for name, value in settings.items() if not name.startswith("+")}
    assert schemas == {folder: folder for folder in FOLDERS}


def test_naming_page_lists_exactly_the_schemas() -> None:
    page = (PROJECT_ROOT / "docs" / "naming.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE))
    files = MODELS_DIR.glob("*/_*__sources.yml")
    sources = [source for file in files for source in read_yaml(file.read_text(encoding="utf-8"))["sources"]]
    assert listed == set(FOLDERS) | {source["name"] for source in sources}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_has_its_models_and_unit_tests_files(folder: str) -> None:
    allowed = {f"_{folder}__models.yml", f"_{folder}__unit_tests.yml", f"_{folder}__sources.yml", f"_{folder}__docs.md"}
    found = {path.name for path in (MODELS_DIR / folder).iterdir() if path.suffix != ".sql"}
    assert found <= allowed
    assert f"_{folder}__models.yml" in found


def test_names_follow_their_folder(project: Project) -> None:
    wrong = [m.name for m in project.models.values() if not re.fullmatch(NAMES[m.folder], m.name)]
    assert wrong == []


def test_descriptions_begin_with_the_grain(project: Project) -> None:
    assert [m.name for m in project.models.values() if not m.description.startswith("One row")] == []


def test_published_columns_are_all_described_under_a_contract(project: Project) -> None:
    models = [m for m in project.models.values() if m.folder in DESCRIBED]
    assert len(models) >= 15
    # An enforced contract lists every column, so a missing one cannot hide.
    assert [m.name for m in models if not m.is_contract_enforced] == []
    assert [f"{m.name}.{name}" for m in models for name, text in m.columns.items() if not text.strip()] == []


def test_sources_are_read_in_staging_and_reference_only(project: Project) -> None:
    assert [m.name for m in project.models.values() if m.sources and m.folder not in ("staging", "reference")] == []


def test_models_read_in_turn(project: Project) -> None:
    wrong = [
        f"{model.name} reads {parent}"
        for model in project.models.values()
        for parent in model.parents
        if reads_out_of_turn(model.folder, model.name, project.models[parent].folder, parent, model.code)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("folder", "parent_folder", "parent", "code", "is_wrong"),
    [
        ("marts", "features", "feat_members_x", "", True),
        ("metrics", "staging", "stg_order_lines", "is_incremental() touched_orders", True),
        ("metrics", "staging", "stg_orders_landed", "", True),
        ("metrics", "staging", "stg_orders_landed", "is_incremental() touched_purchases(this)", False),
        ("ops", "intermediate", "int_rows_dated", "", False),
        ("features", "intermediate", "int_refunds_matched", "", True),
        ("features", "intermediate", "int_clocks_resolved", "", False),
        ("segments", "staging", "stg_churn_scores", "", True),
        ("tags", "staging", "stg_churn_scores", "", False),
        ("segments", "staging", "stg_segment_cards", "", False),
        ("metrics", "staging", "stg_segment_cards", "", True),
        ("ops", "staging", "stg_load_batches", "", False),
        ("ops", "intermediate", "int_refunds_matched", "", True),
        ("marts", "staging", "stg_members", "", False),
    ],
)
def test_reading_out_of_turn_is_seen(folder: str, parent_folder: str, parent: str, code: str, is_wrong: bool) -> None:
    assert reads_out_of_turn(folder, "model", parent_folder, parent, code) is is_wrong


def test_models_and_singular_tests_end_with_final() -> None:
    files = list(sql_files("models", "tests"))
    assert len(files) > 40
    assert [
        relative(path) for path in files if path.read_text().rstrip().splitlines()[-1] != "select * from final"
    ] == []


def test_singular_tests_say_what_they_return() -> None:
    files = list(sql_files("tests"))
    assert files
    assert [p.name for p in files if not re.fullmatch(r"assert_[a-z0-9_]+\.sql", p.name)] == []
    assert [p.name for p in files if not p.read_text().startswith("-- Returns rows when")] == []


def test_sql_runs_on_both_engines() -> None:
    files = [p for p in sql_files("models", "tests", "macros") if p.parent.name != "cross_db"]
    found = {relative(path): one_engine_constructs(path.read_text(encoding="utf-8")) for path in files}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "sql",
    [
        "select date_diff('day', a, b)",
        "select strftime(a, '%Y')",
        "select quantile_cont(a, 0.5)",
        "select arg_max(a, b)",
        "select * exclude (a) from t",
        "select unnest(a)",
        "select 7 // 2",
        "select string_agg(a, ',')",
        "select a - interval '1 day'",
        'select a as "b"',
    ],
)
def test_one_engine_constructs_are_seen(sql: str) -> None:
    assert one_engine_constructs(sql)
    assert not one_engine_constructs(f"-- {sql}\nselect 1\n{{# {sql} #}}")


def test_every_ordering_says_where_nulls_go() -> None:
    terms = {
        f"{relative(path)}: {term}"
        for path in sql_files("models", "tests", "macros")
        for term in ordering_terms(without_comments(path.read_text(encoding="utf-8")))
    }
    assert len(terms) > 20
    assert sorted(term for term in terms if not re.search(r"\bnulls (last|first)\b", term)) == []


def test_orderings_are_read_term_by_term() -> None:
    sql = "row_number() over (partition by a order by coalesce(b, c) desc nulls last, d), max(e) over (order by f)"
    assert ordering_terms(sql) == ["coalesce(b, c) desc nulls last", "d", "f"]
