{#
    fct_events in one table: behaviour by business date, purchases and refunds by order, touches and coupons whole.

    Behaviour is compared with what is staged, date by date and batch by batch, by the number of events and a checksum of their
    ids: a date that differs is forgotten and built again, others are not read. No clock is asked, so files may come in any
    order, and a run that died half-way leaves a difference that the next one finds.
#}

{# Number and checksum of the behaviour of each date and batch, of a relation with event_id. #}
{% macro _behaviour_sums(relation, condition) -%}
    select business_date, batch_id, count(*) as event_count, bit_xor(hash(event_id)) as event_checksum
    from {{ relation }}
    where {{ condition }}
    group by business_date, batch_id
{%- endmacro %}

{# `business_date` of every date whose behaviour is not what is staged. #}
{% macro changed_behaviour_dates(relation) -%}
    select distinct coalesce(staged.business_date, kept.business_date) as business_date
    from ({{ _behaviour_sums(ref('stg_events'), 'not is_deleted') }}) as staged
    full outer join ({{ _behaviour_sums(relation, 'is_behaviour') }}) as kept
        on staged.business_date = kept.business_date and staged.batch_id = kept.batch_id
    where
        staged.event_count is null
        or kept.event_count is null
        or staged.event_count <> kept.event_count
        or staged.event_checksum <> kept.event_checksum
    {%- if window_start() and window_end() %}
    union
    select distinct dated.business_date
    from {{ ref('stg_events') }} as dated
    where dated.business_date between cast('{{ window_start() }}' as date) and cast('{{ window_end() }}' as date)
    {%- endif %}
{%- endmacro %}

{# Whether an account got another flag since its events were built. Almost never: it is asked once, before anything is deleted. #}
{% macro has_reflagged_members(relation) -%}
    {%- if not execute -%}{{ return(false) }}{%- endif -%}
    {{ return(run_query('select count(*) > 0 from (' ~ _reflagged_events(relation) ~ ') as reflagged').columns[0].values()[0] == true) }}
{%- endmacro %}

{% macro _reflagged_events(relation) -%}
    select kept.event_id
    from {{ relation }} as kept
    left join {{ ref('int_accounts_resolved') }} as resolved on kept.account_id = resolved.account_id
    left join {{ ref('dim_members') }} as flagged
        on coalesce(resolved.member_id, kept.member_id) = flagged.member_id and flagged.account_flag <> 'normal'
    where kept.account_flag <> coalesce(flagged.account_flag, 'normal')
{%- endmacro %}

{#
    Pre-hook of fct_events: what is to be built again is forgotten, and so is what comes from tables that are read whole each
    time (touches, coupons). The model then appends what is missing.
#}
{% macro delete_stale_events() -%}
    {%- if is_incremental() -%}
    {%- set order_events = "('purchase', 'refund', 'order_placed')" -%}
    delete from {{ this }}
    where
        (not is_behaviour and (event_name not in {{ order_events }} or order_id in ({{ touched_purchases(this) }})))
        or (is_behaviour and business_date in ({{ changed_behaviour_dates(this) }}))
        {%- if has_reflagged_members(this) %}
        or event_id in ({{ _reflagged_events(this) }})
        {%- endif %}
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}
