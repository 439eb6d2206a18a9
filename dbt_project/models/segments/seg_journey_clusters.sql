with segment_members as (

    select * from {{ ref('stg_segment_members') }}
    where scheme = 'journeys'

),

segment_cards as (

    select * from {{ ref('stg_segment_cards') }}
    where scheme = 'journeys' and is_published

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

final as (

    select
        segment_members.member_id,
        segment_members.cluster_code,
        segment_cards.label_zh,
        segment_cards.label_en,
        segment_members.model_version,
        segment_members.distance,
        clocks.as_of_date
    from segment_members
    inner join clocks on segment_members.as_of_date = clocks.as_of_date
    inner join segment_cards
        on segment_members.model_version = segment_cards.model_version
        and segment_members.cluster_code = segment_cards.cluster_code
        and segment_members.as_of_date = segment_cards.as_of_date

)

select * from final
