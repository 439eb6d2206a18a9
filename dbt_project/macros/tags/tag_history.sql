{#
    The past of tags. tags_<family>_history keeps a member's tags of a family from the day on which one of them changed to the day on
    which one changed again; tag_history reads them tag by tag. What only drifts (days since, decayed scores) is kept as of valid_from and
    follows from it, so it makes no row of its own.

    The past cannot be built again from today's facts alone, so these models are never refreshed in full (full_refresh: false). They go
    by the cut in order: a run of the newest cut again replaces what that cut had said, a run of an earlier one changes nothing.
#}

{# Pre-hook: what an earlier run of the newest cut said is taken back. An older cut takes nothing back: others stand on it. #}
{% macro take_back_tag_history() -%}
    {%- if is_incremental() -%}
    {%- set cut = '(select clocks.as_of_date from ' ~ ref('int_clocks_resolved') ~ ' as clocks)' -%}
    {%- set is_newest = cut ~ ' >= (select max(latest.valid_from) from ' ~ this ~ ' as latest)' -%}
    delete from {{ this }} where valid_from = {{ cut }} and {{ is_newest }};
    update {{ this }} set valid_to = null
    where valid_to = {{ cut }} and {{ is_newest }};
    {#- Ended here: DuckDB does not add a column to a table that the same transaction has changed, and a new tag is a new column. #}
    commit;
    begin transaction
    {%- else -%}
    select 1 as nothing_to_take_back
    {%- endif -%}
{%- endmacro %}

{# Post-hook: rows of members whose tags have a newer row, or who are no more, end where it begins. #}
{% macro close_tag_history(family_code) -%}
    {%- if is_incremental() -%}
    update {{ this }} set valid_to = (select clocks.as_of_date from {{ ref('int_clocks_resolved') }} as clocks)
    where
        valid_to is null
        and valid_from < (select clocks.as_of_date from {{ ref('int_clocks_resolved') }} as clocks)
        and (
            member_id in (
                select newer.member_id from {{ this }} as newer
                where newer.valid_from = (select clocks.as_of_date from {{ ref('int_clocks_resolved') }} as clocks)
            )
            or (
                member_id not in (select current_tags.member_id from {{ ref('tags_' ~ family_code) }} as current_tags)
                and (select clocks.as_of_date from {{ ref('int_clocks_resolved') }} as clocks) >= (select max(latest.valid_from) from {{ this }} as latest)
            )
        )
    {%- else -%}
    select 1 as nothing_to_close
    {%- endif -%}
{%- endmacro %}

{# Pre-hook of tables with one set of rows a cut: what an earlier run of the same cut said is taken back. #}
{% macro forget_as_of_date() -%}
    {%- if is_incremental() -%}
    delete from {{ this }} where as_of_date = (select clocks.as_of_date from {{ ref('int_clocks_resolved') }} as clocks)
    {%- else -%}
    select 1 as nothing_to_forget
    {%- endif -%}
{%- endmacro %}

{# Whether one of a family's tags that do not merely drift is another than it was. A tag that is new to the history is none that changed. #}
{% macro tags_differ(tags, current_tags, kept, known_columns) -%}
    (
        false
        {%- for tag in tags if tag.drift == 'none' and tag.code in known_columns %}
        or {{ current_tags }}.{{ tag.code }} is distinct from {{ kept }}.{{ tag.code }}
        {%- endfor %}
    )
{%- endmacro %}

{# Names of the columns that the model's table has already. #}
{% macro kept_columns() -%}
    {%- set found = [] -%}
    {%- if is_incremental() -%}
        {%- for column in adapter.get_columns_in_relation(this) -%}{%- do found.append(column.name) -%}{%- endfor -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}

{# The tags of all families, in order. While the project is parsed there are none: the families' own models are checked then. #}
{% macro all_tags() -%}
    {%- set tags = [] -%}
    {%- if execute -%}
    {%- for family in tag_families() -%}
        {%- do tags.extend(compile_tags(family)) -%}
    {%- endfor -%}
    {%- endif -%}
    {{ return(tags) }}
{%- endmacro %}

{# A tag's value as text, for tables that hold tags of all types. #}
{% macro tag_text(tag, relation) -%}
    {%- if tag.type == 'list' -%}{{ list_text(relation ~ '.' ~ tag.code) }}
    {%- else -%}cast({{ relation }}.{{ tag.code }} as {{ dbt.type_string() }})
    {%- endif -%}
{%- endmacro %}

{# What a tag is computed by, as text: its SQL, its default and what its value drifts with. #}
{% macro tag_rule(tag) -%}
    {%- set rule = tag.sql if tag.sql else 'days since ' ~ tag.since -%}
    {{ return(rule if tag.default is none else rule ~ '; without facts ' ~ tag.default) }}
{%- endmacro %}

{# Post-hook of tag_versions: the rule of before ends where the new one begins; that of a tag no longer declared ends now. #}
{% macro close_tag_versions() -%}
    {%- if is_incremental() -%}
    {%- set codes = all_tags() | map(attribute='code') | list -%}
    update {{ this }} set valid_to = (select clocks.as_of_date from {{ ref('int_clocks_resolved') }} as clocks)
    where
        valid_to is null
        and valid_from < (select clocks.as_of_date from {{ ref('int_clocks_resolved') }} as clocks)
        and (
            tag_code in (
                select newer.tag_code from {{ this }} as newer
                where newer.valid_from = (select clocks.as_of_date from {{ ref('int_clocks_resolved') }} as clocks)
            )
            or (
                tag_code not in ('{{ codes | join("', '") }}')
                and (select clocks.as_of_date from {{ ref('int_clocks_resolved') }} as clocks) >= (select max(latest.valid_from) from {{ this }} as latest)
            )
        )
    {%- else -%}
    select 1 as nothing_to_close
    {%- endif -%}
{%- endmacro %}
