{#
    An order number or a product code belongs to the thing, not to the system that mentions it: the points system, the service desk
    and the review site name orders of the shops. Where a system has such things itself, it means its own; else those of the one
    system that knows the number. Two systems that both know it leave the reference open.
#}

{# `order_id` as a relation writes it, `matched_order_id` as fct_orders does, of every reference that is understood. #}
{% macro matched_orders(relation) -%}
    select named.order_id, min(known.order_id) as matched_order_id
    from (
        select distinct order_id, source_system, substr(order_id, length(source_system) + 2) as order_key
        from {{ relation }}
        where order_id is not null
    ) as named
    inner join (
        select order_id, source_system, substr(order_id, length(source_system) + 2) as order_key
        from {{ ref('int_order_heads_resolved') }}
        union
        select order_id, source_system, substr(order_id, length(source_system) + 2) as order_key
        from {{ ref('int_order_lines_attributed') }}
    ) as known on named.order_key = known.order_key
    where
        named.source_system = known.source_system
        or named.source_system not in (
            select heads.source_system from {{ ref('int_order_heads_resolved') }} as heads
            union
            select order_lines.source_system from {{ ref('int_order_lines_attributed') }} as order_lines
        )
    group by named.order_id
    having count(distinct known.order_id) = 1
{%- endmacro %}

{# The same for products: `matched_product_id` is the product of the file that describes it. #}
{% macro matched_products(relation) -%}
    select named.product_id, min(coalesce(known.master_product_id, known.product_id)) as matched_product_id
    from (
        select distinct product_id, source_system, substr(product_id, length(source_system) + 2) as product_code
        from {{ relation }}
        where product_id is not null
    ) as named
    inner join {{ ref('int_products_resolved') }} as known on named.product_code = known.product_code
    where
        named.source_system = known.source_system
        or named.source_system not in (select products.source_system from {{ ref('int_products_resolved') }} as products)
    group by named.product_id
    having count(distinct coalesce(known.master_product_id, known.product_id)) = 1
{%- endmacro %}
