{#-
    When an account joined the member it belongs to: the earliest load by which a chain of identifiers led from it to the account that
    gives the member its id. Worked out from the lake, so a rebuild gives the same; nothing is kept from run to run.
-#}
with links as (

    select * from {{ ref('int_identifiers_linked') }}

),

left_out as (

    select * from {{ ref('int_identifiers_judged') }}
    where is_left_out

),

resolved as (

    select * from {{ ref('int_accounts_resolved') }}
    where is_merged

),

chains as (

    select
        links.account_id,
        links.node_id,
        links.identifier_type,
        links.tier,
        links.loaded_at
    from links
    inner join resolved on links.account_id = resolved.account_id
    left join left_out on links.node_id = left_out.node_id
    where left_out.node_id is null

),

reached_0 as (

    select
        account_id,
        first_loaded_at as joined_at
    from resolved
    where account_id = member_id

),

{% for round in range(1, identity_rounds() + 1) %}
reached_{{ round }} as (

    select
        account_id,
        min(joined_at) as joined_at
    from (
        select
            chains.account_id,
            -- The engines' greatest() passes over NULL: who has not been reached yet reaches nobody.
            greatest(
                chains.loaded_at,
                min(case when reached.joined_at is not null then greatest(reached.joined_at, chains.loaded_at) end)
                    over (partition by chains.node_id)
            ) as joined_at,
            min(reached.joined_at) over (partition by chains.node_id) is not null as is_reached
        from chains
        left join reached_{{ round - 1 }} as reached on chains.account_id = reached.account_id
    ) as passed
    where is_reached
    group by account_id

),

{% endfor %}
reached as (

    select * from reached_{{ identity_rounds() }}

),

common as (

    select node_id
    from chains
    group by node_id
    having count(distinct account_id) > 1

),

-- What joined it: the surest identifier that it shares with somebody of the member.
shared as (

    select
        mine.account_id,
        min(cast(mine.tier as {{ dbt.type_string() }}) || ':' || mine.identifier_type) as surest
    from chains as mine
    inner join common on mine.node_id = common.node_id
    group by mine.account_id

),

final as (

    select
        {{ composite_id(['resolved.account_id', 'resolved.member_id']) }} as identity_change_id,
        resolved.account_id,
        resolved.account_id as from_member_id,
        resolved.member_id as to_member_id,
        resolved.source_system,
        'shares_' || substr(shared.surest, 3) as reason,
        case when reached.joined_at is not null then greatest(reached.joined_at, resolved.first_loaded_at) end as changed_at
    from resolved
    left join reached on resolved.account_id = reached.account_id
    left join shared on resolved.account_id = shared.account_id
    where resolved.account_id <> resolved.member_id

)

select * from final
