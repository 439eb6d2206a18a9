{#
    Dividing money into cents that add up. An amount is divided over parts by their weights, exactly: every part gets the whole
    cents of its share, and the cents that are left go to the parts with the largest remainders (Hare and Niemeyer); parts with
    equal remainders in the order of their numbers. Whole numbers only: no engine rounds them.

    What is divided, over what, belongs in the model. Steps, each in a CTE of its own because a window cannot hold another:
    weigh (weight_total), floor (share_floor, share_remainder), rank (cents_left, remainder_rank), then `share_amount`.
#}

{# Cents of an amount as a whole number: a BIGINT. #}
{% macro cents(amount) -%}
    cast(round(cast({{ amount }} as decimal(18, 4)) * 100) as bigint)
{%- endmacro %}

{# Money of whole cents. #}
{% macro money_of_cents(cents) -%}
    cast(cast({{ cents }} as decimal(18, 2)) * cast(0.01 as decimal(3, 2)) as decimal(18, 2))
{%- endmacro %}

{# The product of two whole numbers that do not fit into a BIGINT together. #}
{% macro _wide_product(left, right) -%}
    (cast({{ left }} as decimal(19, 0)) * cast({{ right }} as decimal(19, 0)))
{%- endmacro %}

{# total × weight modulo weight_total: what the whole cents leave over, to be compared within one division. #}
{% macro share_remainder(total, weight, weight_total) -%}
    cast({{ _wide_product(total, weight) }} % cast({{ weight_total }} as decimal(19, 0)) as decimal(19, 0))
{%- endmacro %}

{# Whole cents of the share. The division leaves no rest, so rounding the doubles gives it exactly, up to 2^52 cents. #}
{% macro share_floor(total, weight, weight_total) -%}
    cast(
        round(
            cast({{ _wide_product(total, weight) }} - {{ share_remainder(total, weight, weight_total) }} as double)
            / cast({{ weight_total }} as double)
        ) as bigint
    )
{%- endmacro %}

{# Cents of a part, of columns that the steps above have: the whole cents, and one more for the largest remainders. #}
{% macro signed_share() -%}
    (floor_cents + case when remainder_rank <= cents_left then 1 else 0 end) * case when total_cents < 0 then -1 else 1 end
{%- endmacro %}
