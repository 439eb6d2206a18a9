-- An identifier that joins accounts has brought all of them to one member, or was left out for a named reason; and no two accounts
-- with different member numbers are one member. Rows here mean that identity_rounds() is too small for this brand.
with links as (

    select * from {{ ref('int_identity_links') }}

),

nodes as (

    select * from {{ ref('int_identity_nodes') }}

),

resolved as (

    select * from {{ ref('int_accounts_resolved') }}

),

accounts as (

    select * from {{ ref('int_identity_accounts') }}

),

changes as (

    select * from {{ ref('fct_identity_changes') }}

),

-- Left out without a conflict of its own: some group it would have made was refused. Then more than two clusters stayed apart.
unexplained as (

    select nodes.node_id as subject
    from nodes
    where nodes.is_left_out and nodes.reason is null

),

numbers as (

    select resolved.member_id as subject
    from resolved
    inner join accounts on resolved.account_id = accounts.account_id
    group by resolved.member_id
    having min(accounts.lowest_member_number) <> max(accounts.highest_member_number)

),

unreached as (

    select changes.account_id as subject
    from changes
    where changes.changed_at is null or changes.reason is null

)

select subject from unexplained
union all
select subject from numbers
union all
select subject from unreached
