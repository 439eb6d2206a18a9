with batches as (

    select * from {{ source('raw', 'load_batches') }}
    {% if known_at() %}
    where loaded_at <= cast('{{ known_at() }}' as {{ type_instant() }})
    {% endif %}

),

-- A file's newest batch is its truth: an older batch of the same file stays in the lake and is no longer read.
ranked as (

    select
        *,
        row_number() over (
            partition by entity, source_system, source_file
            order by loaded_at desc nulls last, batch_id desc nulls last
        ) as newest_first
    from batches

),

final as (

    select
        batch_id,
        entity,
        source_system,
        source_file,
        content_hash,
        cast(rows_in as bigint) as rows_in,
        cast(rows_landed as bigint) as rows_landed,
        cast(rows_quarantined as bigint) as rows_quarantined,
        newest_first = 1 as is_current,
        source_business_date,
        loaded_at
    from ranked

)

select * from final
