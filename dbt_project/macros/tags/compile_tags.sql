{#
    A family of tags is declared once, as YAML, in macros/tags/tags_<family>.sql. compile_tags checks the declarations, expands
    windows and items and returns flat tags; the family's model, its history, member_tags, tag_catalogue and tag_values all loop
    over that same list, so SQL, columns, documentation and catalogue cannot drift apart.

    Placeholders in code, labels and sql: {window} = days; {recent} = a condition on age_days for that window; {item},
    {item_zh}, {item_en}, {item_sql} = the item of the dimension that `each` names.

    What a tag is computed from (source_columns) is not declared but read off: a family says where each column of its facts comes
    from, and a tag comes from the columns that its sql speaks of.
#}

{% macro tag_families() %}
    {{ return([
        tag_family_base(), tag_family_transaction(), tag_family_rhythm(), tag_family_category(), tag_family_behaviour(),
        tag_family_content(), tag_family_social(), tag_family_channel(), tag_family_promotion(), tag_family_loyalty(),
        tag_family_service(), tag_family_lifecycle(), tag_family_prediction()
    ]) }}
{% endmacro %}

{% macro tag_error(family, code, key, remedy) %}
    {{ exceptions.raise_compiler_error("macros/tags/tags_" ~ family ~ ".sql: tag '" ~ code ~ "': " ~ key ~ ": " ~ remedy) }}
{% endmacro %}

{# What a declaration may say; the values of kind, type, refresh and allowed_uses are closed lists. #}
{% macro tag_grammar() %}
    {{ return({
        'required': ['code', 'label_zh', 'label_en', 'kind', 'type', 'goal'],
        'allowed': [
            'code', 'label_zh', 'label_en', 'kind', 'type', 'sql', 'since', 'windows', 'each', 'default', 'goal', 'unit', 'values',
            'version', 'owner', 'pii_class', 'needs', 'refresh', 'allowed_uses', 'expires', 'drift', 'half_life_days'
        ],
        'family': [
            'code', 'label_zh', 'label_en', 'subject', 'owner', 'source', 'needs', 'facts', 'dimensions', 'pii_class', 'refresh',
            'allowed_uses', 'expires', 'tags'
        ],
        'kind': [
            'count', 'sum', 'average', 'extreme', 'ratio', 'trend', 'recency', 'first_last', 'tier', 'flag', 'preference', 'list',
            'distribution', 'sequence', 'decayed', 'percentile', 'segment', 'model', 'declared'
        ],
        'type': {
            'integer': dbt.type_int(), 'decimal': 'decimal(18, 2)', 'rate': 'double', 'text': dbt.type_string(),
            'boolean': 'boolean', 'date': 'date', 'list': type_text_list()
        },
        'refresh': ['daily', 'with_models'],
        'allowed_uses': ['analysis', 'targeting', 'personalisation', 'service', 'suppression'],
        'drift': ['none', 'elapsed', 'decay']
    }) }}
{% endmacro %}

{# Items of a dimension: those the family declares, or those the brand gives (brand.yml: tag_dimensions). #}
{% macro tag_items(family, name, code) %}
    {%- if name in family.get('dimensions', {}) -%}
        {{ return(family.dimensions[name]) }}
    {%- elif name in ['categories'] -%}
        {{ return(brand_tag_items(name)) }}
    {%- endif -%}
    {{ tag_error(family.code, code, 'each', "'" ~ name ~ "' is no dimension; declare it under `dimensions` of the family or use categories") }}
{% endmacro %}

{% macro check_tag(family, tag, name, grammar) %}
    {%- for key in tag.keys() if key not in grammar.allowed -%}
        {{ tag_error(family.code, name, key, 'unknown key; allowed keys are ' ~ grammar.allowed | join(', ')) }}
    {%- endfor -%}
    {%- for key in grammar.required if not tag.get(key) -%}
        {{ tag_error(family.code, name, key, 'is missing; add it') }}
    {%- endfor -%}
    {%- if not tag.get('sql') and not tag.get('since') -%}
        {{ tag_error(family.code, name, 'sql', 'is missing; add it, or `since` with the code of a date tag of the same family') }}
    {%- endif -%}
    {%- for key in ['type', 'kind'] if tag[key] not in grammar[key] -%}
        {{ tag_error(family.code, name, key, "'" ~ tag[key] ~ "' is not one of " ~ grammar[key] | list | join(', ')) }}
    {%- endfor -%}
    {%- for key in ['refresh', 'drift'] if tag.get(key) and tag[key] not in grammar[key] -%}
        {{ tag_error(family.code, name, key, "'" ~ tag[key] ~ "' is not one of " ~ grammar[key] | join(', ')) }}
    {%- endfor -%}
    {%- for use in tag.get('allowed_uses', []) if use not in grammar.allowed_uses -%}
        {{ tag_error(family.code, name, 'allowed_uses', "'" ~ use ~ "' is not one of " ~ grammar.allowed_uses | join(', ')) }}
    {%- endfor -%}
    {%- if tag.get('expires') and not modules.re.fullmatch('[0-9]{4}-[0-9]{2}-[0-9]{2}', tag.expires | string) -%}
        {{ tag_error(family.code, name, 'expires', "'" ~ tag.expires ~ "' is no date such as 2027-12-31") }}
    {%- endif -%}
    {%- if tag.get('drift') == 'decay' and not tag.get('half_life_days') -%}
        {{ tag_error(family.code, name, 'half_life_days', 'is missing; a decaying tag says in how many days it halves') }}
    {%- endif -%}
    {%- for key, placeholder in [('windows', '{window}'), ('each', '{item}')] if tag.get(key) and placeholder not in tag.code -%}
        {{ tag_error(family.code, name, 'code', 'has ' ~ key ~ ' but no ' ~ placeholder ~ ' in its code; without it all would give the same column') }}
    {%- endfor -%}
{% endmacro %}

{% macro compile_tags(family) %}
    {%- set grammar = tag_grammar() -%}
    {%- set supplied = brand_entities() -%}
    {%- set facts = family.get('facts', {}) -%}
    {%- set tags = [] -%}
    {%- set codes = [] -%}
    {%- for key in family.keys() if key not in grammar.family -%}
        {{ tag_error(family.code, '(the family)', key, 'unknown key; allowed keys are ' ~ grammar.family | join(', ')) }}
    {%- endfor -%}
    {%- for tag in family.tags -%}
        {%- set name = tag.get('code', '(tag number ' ~ loop.index ~ ')') -%}
        {%- do check_tag(family, tag, name, grammar) -%}
        {%- set sql = (tag.sql if tag.get('sql') else '') | string | trim -%}
        {%- for item in (tag_items(family, tag.each, name) if tag.get('each') else [none]) -%}
        {%- for window in tag.get('windows', [none]) -%}
            {%- set texts = {} -%}
            {%- for key, text in [('code', tag.code), ('label_zh', tag.label_zh), ('label_en', tag.label_en), ('sql', sql), ('unit', tag.get('unit', ''))] -%}
                {%- set text = text | string | trim -%}
                {%- if item is not none -%}
                    {%- set text = text.replace('{item_zh}', item.label_zh | string).replace('{item_en}', item.label_en | string).replace('{item_sql}', (item.get('sql') or text_literal(item.get('value', item.code))) | string).replace('{item}', item.code) -%}
                {%- endif -%}
                {%- if window is not none -%}
                    {%- set text = text.replace('{window}', window | string).replace('{recent}', 'age_days <= ' ~ window) -%}
                {%- endif -%}
                {%- do texts.update({key: text}) -%}
            {%- endfor -%}
            {%- if not modules.re.fullmatch('[a-z][a-z0-9_]*', texts.code) -%}
                {{ tag_error(family.code, texts.code, 'code', 'must be lower snake case, starting with a letter') }}
            {%- endif -%}
            {%- if texts.code in codes -%}
                {{ tag_error(family.code, texts.code, 'code', 'is declared twice; rename one') }}
            {%- endif -%}
            {%- if tag.get('since') and tag.since not in codes -%}
                {{ tag_error(family.code, texts.code, 'since', "'" ~ tag.since ~ "' is no tag declared above it in this family") }}
            {%- endif -%}
            {%- do codes.append(texts.code) -%}
            {%- do tags.append({
                'code': texts.code, 'label_zh': texts.label_zh, 'label_en': texts.label_en, 'sql': texts.sql, 'since': tag.get('since'),
                'kind': tag.kind, 'type': tag.type, 'sql_type': grammar.type[tag.type], 'window_days': window,
                'item': item.code if item is not none else none, 'declaration': tag.code, 'default': tag.get('default'),
                'goal': tag.goal, 'unit': texts.unit, 'values': tag.get('values', []), 'version': tag.get('version', 1),
                'owner': tag.get('owner', family.owner), 'pii_class': tag.get('pii_class', family.get('pii_class', 'none')),
                'refresh': tag.get('refresh', family.get('refresh', 'daily')),
                'allowed_uses': tag.get('allowed_uses', family.get('allowed_uses', ['analysis', 'targeting', 'personalisation'])),
                'expires': tag.get('expires', family.get('expires')), 'family': family.code,
                'drift': 'elapsed' if tag.get('since') else tag.get('drift', 'none'), 'half_life_days': tag.get('half_life_days'),
                'is_supplied': tag.get('needs', family.get('needs', [])) | reject('in', supplied) | list | length == 0
            }) -%}
        {%- endfor -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(tags) }}
{% endmacro %}

{# Columns of the marts that a tag is computed from, sorted: of the facts' columns its sql speaks of, where they come from. #}
{% macro tag_source_columns(family, tag, tags) %}
    {%- set sql = tag.sql if tag.sql else (tags | selectattr('code', 'equalto', tag.since) | first).sql -%}
    {%- set found = [] -%}
    {%- for word in modules.re.findall('[a-z_][a-z0-9_]*', sql) | unique if word in family.get('facts', {}) -%}
        {%- for column in family.facts[word].split(', ') if column not in found -%}
            {%- do found.append(column) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found | sort) }}
{% endmacro %}

{# Aggregates of one family, for a `select member_id, … group by member_id`. #}
{% macro tag_expressions(tags) -%}
    {%- for tag in tags if tag.sql and tag.is_supplied %}
        {{ tag.sql }} as {{ tag.code }},
    {%- endfor -%}
{%- endmacro %}

{#
    Typed columns of one family, with the declared default where a member has no fact. The default says that there was nothing;
    where the brand has no source of what a tag `needs`, nothing can be said, and the tag is NULL. Counts of days since a date tag
    follow from the date and the cut.
#}
{% macro tag_columns(tags, relation) -%}
    {%- for tag in tags %}
        {% if not tag.is_supplied -%}
        cast(null as {{ tag.sql_type }}) as {{ tag.code }},
        {%- elif tag.since -%}
        cast({{ days_between(relation ~ '.' ~ tag.since, 'clocks.as_of_date') | trim }} as {{ tag.sql_type }}) as {{ tag.code }},
        {%- elif tag.default is not none -%}
        coalesce(cast({{ relation }}.{{ tag.code }} as {{ tag.sql_type }}), {{ tag.default }}) as {{ tag.code }},
        {%- else -%}
        cast({{ relation }}.{{ tag.code }} as {{ tag.sql_type }}) as {{ tag.code }},
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{#
    Upper edge of the window that an age in days falls into: facts summed by it keep every window of this list exactly, and are few.
    A window that is none of these needs facts by the day.
#}
{% macro tag_window_edges() %}{{ return([1, 7, 14, 30, 60, 90, 180, 365]) }}{% endmacro %}

{% macro window_edge(age) -%}
    case
        {%- for edge in tag_window_edges() %}
        when {{ age }} <= {{ edge }} then {{ edge }}
        {%- endfor %}
        else 100000
    end
{%- endmacro %}

{# A text literal. #}
{% macro text_literal(value) -%}
    '{{ (value | string).replace("'", "''") }}'
{%- endmacro %}

{# Post-hook: every tag's labels as the comment of its column, so that a database browser shows them. #}
{% macro document_tags(tags) %}{{ return(adapter.dispatch('document_tags', 'tessera')(tags)) }}{% endmacro %}

{% macro default__document_tags(tags) -%}
    {%- for tag in tags %}
    comment on column {{ this }}.{{ tag.code }} is {{ text_literal(tag.label_zh ~ ' / ' ~ tag.label_en) }};
    {%- endfor %}
{%- endmacro %}

{# Spark keeps column comments in the table's own definition, which a CREATE TABLE AS does not take: none there. #}
{% macro spark__document_tags(tags) -%}
    select 1 as nothing_to_document
{%- endmacro %}
