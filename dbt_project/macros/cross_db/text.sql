{#
    Text: regular expressions, hashes and literals, which the engines spell differently. Patterns keep to what RE2 (DuckDB)
    and Java (Spark) both read: no look-around, no back-references, no POSIX classes.
#}

{# A text as a SQL literal. Spark reads a backslash in a literal as an escape, DuckDB as itself. #}
{% macro sql_text(value) %}{{ return(adapter.dispatch('sql_text', 'tessera')(value)) }}{% endmacro %}
{% macro default__sql_text(value) %}{{ return("'" ~ (value | string).replace("'", "''") ~ "'") }}{% endmacro %}
{% macro spark__sql_text(value) %}{{ return("'" ~ (value | string).replace('\\', '\\\\').replace("'", "\\'") ~ "'") }}{% endmacro %}

{# True where the pattern is found anywhere in the text; NULL for NULL. #}
{% macro text_matches(expression, pattern) %}{{ return(adapter.dispatch('text_matches', 'tessera')(expression, pattern)) }}{% endmacro %}
{% macro default__text_matches(expression, pattern) -%}
    regexp_matches({{ expression }}, {{ sql_text(pattern) }})
{%- endmacro %}
{% macro spark__text_matches(expression, pattern) -%}
    ({{ expression }} rlike {{ sql_text(pattern) }})
{%- endmacro %}

{# What a group of the pattern's first match holds; NULL where the pattern or the group is not there. #}
{% macro text_extract(expression, pattern, group=1) -%}
    nullif(regexp_extract({{ expression }}, {{ sql_text(pattern) }}, {{ group }}), '')
{%- endmacro %}

{# The text without any part that the pattern matches. #}
{% macro text_remove(expression, pattern) %}{{ return(adapter.dispatch('text_remove', 'tessera')(expression, pattern)) }}{% endmacro %}
{% macro default__text_remove(expression, pattern) -%}
    regexp_replace({{ expression }}, {{ sql_text(pattern) }}, '', 'g')
{%- endmacro %}
{% macro spark__text_remove(expression, pattern) -%}
    regexp_replace({{ expression }}, {{ sql_text(pattern) }}, '')
{%- endmacro %}

{#
    Full-width letters, digits, signs and the ideographic space as their ASCII counterparts: what Unicode's NFKC does to
    U+FF01 … U+FF5E and U+3000. Everything else stays as it is. Asking first costs a tenth of translating: DuckDB builds the
    table of signs anew for every row.
#}
{% macro half_width(expression) -%}
    {%- set full = '！＂＃＄％＆＇（）＊＋，－．／０１２３４５６７８９：；＜＝＞？＠ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ［＼］＾＿｀ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ｛｜｝～　' -%}
    {%- set half = '!"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~ ' -%}
    case
        when {{ text_matches(expression, '[！-～　]') }} then translate({{ expression }}, {{ sql_text(full) }}, {{ sql_text(half) }})
        else {{ expression }}
    end
{%- endmacro %}

{# sha256 of a text as 64 hexadecimal digits. #}
{% macro sha256_hex(expression) %}{{ return(adapter.dispatch('sha256_hex', 'tessera')(expression)) }}{% endmacro %}
{% macro default__sha256_hex(expression) %}{{ return('sha256(' ~ expression ~ ')') }}{% endmacro %}
{% macro spark__sha256_hex(expression) %}{{ return('sha2(' ~ expression ~ ', 256)') }}{% endmacro %}

{# A list of texts as a column's type. #}
{% macro type_text_list() %}{{ return(adapter.dispatch('type_text_list', 'tessera')()) }}{% endmacro %}
{% macro default__type_text_list() %}{{ return('varchar[]') }}{% endmacro %}
{% macro spark__type_text_list() %}{{ return('array<string>') }}{% endmacro %}

{# Aggregate: the distinct texts that are not NULL as a sorted list; NULL where there is none. #}
{% macro text_list(expression) %}{{ return(adapter.dispatch('text_list', 'tessera')(expression)) }}{% endmacro %}
{% macro default__text_list(expression) %}{{ return("list_sort(list(distinct " ~ expression ~ ") filter (where " ~ expression ~ " is not null))") }}{% endmacro %}
{% macro spark__text_list(expression) %}{{ return("nullif(array_sort(collect_set(" ~ expression ~ ")), array())") }}{% endmacro %}

{# Number of items of a list; NULL for NULL. #}
{% macro list_size(expression) %}{{ return(adapter.dispatch('list_size', 'tessera')(expression)) }}{% endmacro %}
{% macro default__list_size(expression) %}{{ return('len(' ~ expression ~ ')') }}{% endmacro %}
{% macro spark__list_size(expression) %}{{ return('size(' ~ expression ~ ')') }}{% endmacro %}

{# A list as one text, its items apart by `; `; NULL for NULL. #}
{% macro list_text(expression) %}{{ return(adapter.dispatch('list_text', 'tessera')(expression)) }}{% endmacro %}
{% macro default__list_text(expression) %}{{ return("array_to_string(" ~ expression ~ ", '; ')") }}{% endmacro %}
{% macro spark__list_text(expression) %}{{ return("array_join(" ~ expression ~ ", '; ')") }}{% endmacro %}
