{#
    A family of tags is declared once, as YAML, in macros/tags/tags_<family>.sql. compile_tags checks the declarations,
    expands windows and returns flat tags; the family's model, member_tags, tag_catalogue and tag_values all loop over
    that same list, so SQL, columns and catalogue cannot drift apart.

    `needs`, of a family or of one tag, lists the contract entities without which the tag has nothing to say.

    Placeholders in code, labels and sql: {window} = days; {recent} = a condition on age_days for that window.
#}

{% macro tag_families() %}
    {{ return([tag_family_transaction(), tag_family_promotion(), tag_family_category(), tag_family_lifecycle(), tag_family_prediction()]) }}
{% endmacro %}

{% macro tag_error(family, code, key, remedy) %}
    {{ exceptions.raise_compiler_error("macros/tags/tags_" ~ family ~ ".sql: tag '" ~ code ~ "': " ~ key ~ ": " ~ remedy) }}
{% endmacro %}

{% macro compile_tags(family) %}
    {%- set allowed = ['code', 'label_zh', 'label_en', 'type', 'sql', 'windows', 'default', 'goal', 'unit', 'values', 'version', 'owner', 'pii_class', 'needs'] -%}
    {%- set supplied = brand_entities() -%}
    {%- set types = {'integer': dbt.type_int(), 'decimal': 'decimal(18, 2)', 'rate': 'double', 'text': dbt.type_string(), 'boolean': 'boolean', 'date': 'date'} -%}
    {%- set tags = [] -%}
    {%- set codes = [] -%}
    {%- for tag in family.tags -%}
        {%- set name = tag.get('code', '(tag number ' ~ loop.index ~ ')') -%}
        {%- for key in tag.keys() if key not in allowed -%}
            {{ tag_error(family.code, name, key, 'unknown key; allowed keys are ' ~ allowed | join(', ')) }}
        {%- endfor -%}
        {%- for key in ['code', 'label_zh', 'label_en', 'type', 'sql', 'goal'] if not tag.get(key) -%}
            {{ tag_error(family.code, name, key, 'is missing; add it') }}
        {%- endfor -%}
        {%- if tag.type not in types -%}
            {{ tag_error(family.code, name, 'type', "'" ~ tag.type ~ "' is not one of " ~ types.keys() | join(', ')) }}
        {%- endif -%}
        {%- if tag.get('windows') and '{window}' not in tag.code -%}
            {{ tag_error(family.code, name, 'code', 'has windows but no {window} in its code; without it every window would give the same column') }}
        {%- endif -%}
        {%- for window in tag.get('windows', [none]) -%}
            {%- set expand = {'window': window | string, 'recent': 'age_days <= ' ~ window} -%}
            {%- set texts = {} -%}
            {%- for key in ['code', 'label_zh', 'label_en', 'sql'] -%}
                {%- do texts.update({key: (tag[key] | string | trim).replace('{window}', expand.window).replace('{recent}', expand.recent)}) -%}
            {%- endfor -%}
            {%- if not modules.re.fullmatch('[a-z][a-z0-9_]*', texts.code) -%}
                {{ tag_error(family.code, texts.code, 'code', 'must be lower snake case, starting with a letter') }}
            {%- endif -%}
            {%- if texts.code in codes -%}
                {{ tag_error(family.code, texts.code, 'code', 'is declared twice; rename one') }}
            {%- endif -%}
            {%- do codes.append(texts.code) -%}
            {%- do tags.append({
                'code': texts.code, 'label_zh': texts.label_zh, 'label_en': texts.label_en, 'sql': texts.sql,
                'type': tag.type, 'sql_type': types[tag.type], 'window_days': window, 'default': tag.get('default'),
                'goal': tag.goal, 'unit': tag.get('unit', ''), 'values': tag.get('values', []),
                'version': tag.get('version', 1), 'owner': tag.get('owner', family.owner), 'pii_class': tag.get('pii_class', 'none'),
                'family': family.code,
                'is_supplied': tag.get('needs', family.get('needs', [])) | reject('in', supplied) | list | length == 0
            }) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(tags) }}
{% endmacro %}

{# Aggregates of one family, for a `select member_id, … group by member_id`. #}
{% macro tag_expressions(family) -%}
    {%- for tag in compile_tags(family) %}
        {{ tag.sql }} as {{ tag.code }}{{ "," if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#
    Typed columns of one family, with the declared default where a member has no fact. The default says that there was nothing;
    where the brand has no source of what a tag `needs`, nothing can be said, and the tag is NULL.
#}
{% macro tag_columns(family, relation) -%}
    {%- for tag in compile_tags(family) %}
        {% if not tag.is_supplied -%}
        cast(null as {{ tag.sql_type }}) as {{ tag.code }},
        {%- elif tag.default is not none -%}
        coalesce(cast({{ relation }}.{{ tag.code }} as {{ tag.sql_type }}), {{ tag.default }}) as {{ tag.code }},
        {%- else -%}
        cast({{ relation }}.{{ tag.code }} as {{ tag.sql_type }}) as {{ tag.code }},
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{# A text literal. #}
{% macro text_literal(value) -%}
    '{{ (value | string).replace("'", "''") }}'
{%- endmacro %}

{# Post-hook: every tag's labels as the comment of its column, so that a database browser shows them. #}
{% macro document_tags(families) %}{{ return(adapter.dispatch('document_tags', 'tessera')(families)) }}{% endmacro %}

{% macro default__document_tags(families) -%}
    {%- for family in families %}
    {%- for tag in compile_tags(family) %}
    comment on column {{ this }}.{{ tag.code }} is {{ text_literal(tag.label_zh ~ ' / ' ~ tag.label_en) }};
    {%- endfor %}
    {%- endfor %}
{%- endmacro %}

{# Spark keeps column comments in the table's own definition, which a CREATE TABLE AS does not take: none there. #}
{% macro spark__document_tags(families) -%}
    select 1 as nothing_to_document
{%- endmacro %}
