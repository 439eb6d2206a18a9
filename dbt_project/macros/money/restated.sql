{#
    What an incremental model of money must build again beyond what new files touch. A refund may find another order than the day
    before, a payment may come late, an account may turn out to be a tester's: then an order of last year says something else,
    though none of its own rows is new. What the model keeps is compared with what its parents say now; only sums and flags are
    read. A pre-hook forgets the touched and the restated; the model's body appends whatever is missing, so that a run that died
    half-way is made good by the next.
#}

{# `order_id` of every order whose kept refunds, or whose kept account flag, are not those of today. #}
{% macro restated_orders(relation) -%}
    select coalesce(kept.order_id, refunded.order_id) as order_id
    from (
        select order_id, refund_amount, returned_amount
        from {{ relation }}
        where returned_amount <> 0
    ) as kept
    full outer join (
        select
            original_order_id as order_id,
            sum(case when is_counted then goods_amount else 0 end) as refund_amount,
            sum(goods_amount + service_amount + freight_amount) as returned_amount
        from {{ ref('fct_refunds') }}
        where is_original_matched
        group by original_order_id
    ) as refunded on kept.order_id = refunded.order_id
    where
        kept.order_id is null
        or refunded.order_id is null
        or kept.refund_amount <> refunded.refund_amount
        or kept.returned_amount <> refunded.returned_amount
    union
    select kept.order_id
    from {{ relation }} as kept
    left join {{ ref('dim_members') }} as flagged
        on kept.member_id = flagged.member_id and flagged.account_flag in ('test', 'internal')
    where kept.is_internal <> (flagged.member_id is not null)
{%- endmacro %}

{# Pre-hook of fct_orders. #}
{% macro delete_restated_orders() -%}
    {%- if is_incremental() -%}
    delete from {{ this }}
    where order_id in ({{ touched_purchases(this) }}) or order_id in ({{ restated_orders(this) }})
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}

{# The order of a refund in the ledger: the one it takes back, else the document that it came on. Of fct_refunds. #}
{% macro ledger_order_id() -%}
    case when is_original_matched then original_order_id else refund_order_id end
{%- endmacro %}

{#
    Pre-hook of fct_ledger_entries: orders that are touched, that count differently from what was booked, or whose refunds are not
    those that were booked.
#}
{% macro delete_restated_entries() -%}
    {%- if is_incremental() -%}
    delete from {{ this }}
    where
        order_id in ({{ touched_purchases(this) }})
        or order_id in (
            select orders.order_id
            from {{ ref('fct_orders') }} as orders
            inner join {{ this }} as kept on orders.order_id = kept.order_id and kept.transaction_kind in ('sale', 'payment')
            where orders.is_valid <> kept.is_counted
        )
        or order_id in ({{ _restated_refunds(this) }})
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}

{# `order_id` of every order that a refund was booked for, or should have been, and is not booked so. #}
{% macro _restated_refunds(relation) -%}
    with refunded as (
        select refund_id, {{ ledger_order_id() }} as order_id, is_counted, goods_amount + service_amount + freight_amount as amount
        from {{ ref('fct_refunds') }}
    ),

    booked as (
        select refund_id, order_id, is_counted, credit_amount as amount
        from {{ relation }}
        where transaction_kind = 'refund' and ledger_account = 'cash'
    ),

    differing as (
        select refunded.order_id as order_id, booked.order_id as booked_order_id
        from refunded
        full outer join booked on refunded.refund_id = booked.refund_id
        where
            (booked.refund_id is null and refunded.amount <> 0)
            or refunded.refund_id is null
            or refunded.order_id <> booked.order_id
            or refunded.is_counted <> booked.is_counted
            or refunded.amount <> booked.amount
    )

    select order_id from differing where order_id is not null
    union
    select booked_order_id as order_id from differing where booked_order_id is not null
{%- endmacro %}

{#
    Business dates whose sales, as a table of daily sales keeps them, are not those that orders and refunds give now. Only
    their sums are compared.
#}
{% macro restated_dates(relation) -%}
    select coalesce(kept.business_date, counted.business_date) as business_date
    from (
        select
            business_date,
            sum(gmv_gross_amount) as gross_amount,
            sum(refund_amount) as refund_amount,
            sum(restated_refund_amount) as restated_refund_amount
        from {{ relation }}
        group by business_date
    ) as kept
    full outer join (
        select
            business_date,
            sum(gross_amount) as gross_amount,
            sum(refund_amount) as refund_amount,
            sum(restated_refund_amount) as restated_refund_amount
        from (
            select
                paid_date as business_date, gmv_gross_amount as gross_amount, 0 as refund_amount, 0 as restated_refund_amount
            from {{ ref('fct_orders') }}
            where is_valid
            union all
            select business_date, 0, goods_amount, 0
            from {{ ref('fct_refunds') }}
            where is_counted
            union all
            select paid_date, 0, 0, goods_amount
            from {{ ref('fct_refunds') }}
            where is_counted
        ) as facts
        group by business_date
    ) as counted on kept.business_date = counted.business_date
    where
        coalesce(kept.gross_amount, 0) <> coalesce(counted.gross_amount, 0)
        or coalesce(kept.refund_amount, 0) <> coalesce(counted.refund_amount, 0)
        or coalesce(kept.restated_refund_amount, 0) <> coalesce(counted.restated_refund_amount, 0)
{%- endmacro %}

{# Business dates on which accounts have become one member since, or ceased to be: other buyers, though the same sales. #}
{% macro recounted_dates(relation) -%}
    select coalesce(kept.business_date, counted.business_date) as business_date
    from (
        select business_date, currency_code, sum(buyer_count) as buyer_count
        from {{ relation }}
        group by business_date, currency_code
    ) as kept
    full outer join (
        select paid_date as business_date, currency_code, count(distinct member_id) as buyer_count
        from {{ ref('fct_orders') }}
        where is_valid
        group by paid_date, currency_code
    ) as counted on kept.business_date = counted.business_date and kept.currency_code = counted.currency_code
    where coalesce(kept.buyer_count, 0) <> coalesce(counted.buyer_count, 0)
{%- endmacro %}

{# Pre-hook of tables of daily sales. #}
{% macro delete_touched_and_restated_dates() -%}
    {%- if is_incremental() -%}
    delete from {{ this }}
    where
        business_date in ({{ touched_business_dates(this) }})
        or business_date in ({{ restated_dates(this) }})
        or business_date in ({{ recounted_dates(this) }})
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}
