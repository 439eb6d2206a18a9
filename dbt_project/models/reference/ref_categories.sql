-- A category is known by its code, or where the source has none by its name; the same name in two places is two categories.
with products as (

    select
        source_system,
        is_deleted,
        category_l1_code,
        category_l1_name,
        category_l2_code,
        category_l2_name,
        category_l3_code,
        category_l3_name,
        coalesce(category_l1_code, category_l1_name) as l1_key,
        coalesce(category_l2_code, category_l2_name) as l2_key,
        coalesce(category_l3_code, category_l3_name) as l3_key
    from {{ ref('stg_products') }}

),

-- A level that a product lacks is skipped, so a third level may lie in a first.
paths as (

    select
        *,
        l1_key as l1_path,
        coalesce(l1_key || ' > ', '') || l2_key as l2_path,
        coalesce(coalesce(l1_key || ' > ', '') || l2_key, l1_key) as above_l3_path
    from products

),

nodes as (

    select
        source_system,
        is_deleted,
        1 as category_level,
        l1_path as category_path,
        cast(null as {{ dbt.type_string() }}) as parent_path,
        category_l1_code as category_code,
        category_l1_name as category_name
    from paths
    where l1_key is not null

    union all

    select
        source_system,
        is_deleted,
        2 as category_level,
        l2_path as category_path,
        l1_path as parent_path,
        category_l2_code as category_code,
        category_l2_name as category_name
    from paths
    where l2_key is not null

    union all

    select
        source_system,
        is_deleted,
        3 as category_level,
        coalesce(above_l3_path || ' > ', '') || l3_key as category_path,
        above_l3_path as parent_path,
        category_l3_code as category_code,
        category_l3_name as category_name
    from paths
    where l3_key is not null

),

grouped as (

    select
        source_system,
        category_path,
        min(parent_path) as parent_path,
        min(category_code) as category_code,
        coalesce(min(category_name), min(category_code)) as category_name,
        min(category_level) as category_level,
        sum(case when is_deleted then 0 else 1 end) as product_count
    from nodes
    group by source_system, category_path

),

parents as (

    select distinct source_system, parent_path
    from grouped
    where parent_path is not null

),

final as (

    select
        {{ entity_id('grouped.source_system', 'grouped.category_path') }} as category_id,
        {{ entity_id('grouped.source_system', 'grouped.parent_path') }} as parent_category_id,
        grouped.source_system,
        grouped.category_code,
        grouped.category_name,
        grouped.category_path,
        cast(grouped.category_level as integer) as category_level,
        cast(grouped.product_count as integer) as product_count,
        parents.parent_path is null as is_leaf
    from grouped
    left join parents
        on grouped.source_system = parents.source_system
        and grouped.category_path = parents.parent_path

)

select * from final
