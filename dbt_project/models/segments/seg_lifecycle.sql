with member_tags as (

    -- Without orders nobody is at any stage.
    select * from {{ ref('member_tags') }}
    where lifecycle_state is not null

),

tag_values as (

    select * from {{ ref('tag_values') }}
    where tag_code = 'lifecycle_state'

),

final as (

    select
        member_tags.member_id,
        member_tags.lifecycle_state,
        tag_values.label_zh,
        tag_values.label_en,
        member_tags.days_since_last_order,
        member_tags.as_of_date
    from member_tags
    left join tag_values on member_tags.lifecycle_state = tag_values.value_code

)

select * from final
