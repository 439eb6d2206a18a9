{{ config(materialized='table') }}

with order_lines as (

    select * from {{ ref('stg_order_lines') }}

),

latest as (

    select max(business_date) as latest_business_date from order_lines

),

final as (

    select
        {% if requested_as_of_date() -%}
        cast('{{ requested_as_of_date() }}' as date) as as_of_date,
        {%- elif brand_as_of_clock() == 'latest_fact' -%}
        -- A brand whose history has ended: the morning after its last business date.
        {{ add_days('latest_business_date', 1) }} as as_of_date,
        {%- else -%}
        {{ business_date('current_timestamp') }} as as_of_date,
        {%- endif %}
        latest_business_date,
        {% if known_at() -%}
        cast('{{ known_at() }}' as {{ type_instant() }}) as known_at
        {%- else -%}
        cast(current_timestamp as {{ type_instant() }}) as known_at
        {%- endif %}
    from latest

)

select * from final
