{#
    One-ID, step by step: what is surest joins first. A tier takes the clusters of the tier before it and the identifiers of its own
    strength, and joins clusters that share one. An identifier that would join what must stay apart is left out, whole; so is
    every identifier of the tier in a group that would do so only together. docs/identity.md has the rules.

    Components are found by passing on the smallest label, a fixed number of rounds: both engines can do that. Clusters come in
    as stars around a member number or a contact, so few rounds are needed; assert_identity_has_converged says when they were too few.
#}

{% macro identity_tiers() %}{{ return([1, 2, 3, 4, 5]) }}{% endmacro %}
{% macro identity_rounds() %}{{ return(8) }}{% endmacro %}

{# account_id, cluster_id of every account after a tier; `clusters` is the relation of the tier before (account_id, cluster_id). #}
{% macro identity_tier(tier, clusters) -%}
with clusters as (

    select * from {{ clusters }}

),

accounts as (

    select * from {{ ref('int_accounts_numbered') }}

),

links as (

    select * from {{ ref('int_identifiers_linked') }}

),

decisions as (

    select * from {{ ref('int_accounts_decided') }}

),

-- The identifiers of this tier, with every account that is linked to them as surely or more so.
nodes as (

    select distinct node_id from links
    where tier = {{ tier }} and not is_hub

),

held as (

    select
        links.node_id,
        links.account_id,
        clusters.cluster_id
    from links
    inner join nodes on links.node_id = nodes.node_id
    inner join clusters on links.account_id = clusters.account_id
    where links.tier <= {{ tier }}

),

sized as (

    select
        clusters.cluster_id,
        count(*) as account_count,
        min(accounts.lowest_member_number) as lowest_member_number,
        max(accounts.highest_member_number) as highest_member_number
    from clusters
    inner join accounts on clusters.account_id = accounts.account_id
    group by clusters.cluster_id

),

edges as (

    select distinct
        node_id,
        cluster_id
    from held

),

-- Only what touches two clusters joins anything; what touches two member numbers never does.
joining as (

    select edges.node_id
    from edges
    inner join sized on edges.cluster_id = sized.cluster_id
    group by edges.node_id
    having
        count(*) > 1
        and coalesce(min(sized.lowest_member_number) = max(sized.highest_member_number), true)

),

edges_kept as (

    select
        edges.node_id,
        edges.cluster_id
    from edges
    inner join joining on edges.node_id = joining.node_id

),

round_0 as (

    select distinct
        cluster_id,
        cluster_id as label
    from edges_kept

),

{% for round in range(1, identity_rounds() + 1) %}
round_{{ round }} as (

    select
        passed.cluster_id,
        min(passed.label) as label
    from (
        select
            edges_kept.cluster_id,
            min(labels.label) over (partition by edges_kept.node_id) as label
        from edges_kept
        inner join round_{{ round - 1 }} as labels on edges_kept.cluster_id = labels.cluster_id
    ) as passed
    group by passed.cluster_id

),

{% endfor %}
labelled as (

    select
        last_round.cluster_id,
        last_round.label,
        last_round.label = round_before.label as is_settled
    from round_{{ identity_rounds() }} as last_round
    inner join round_{{ identity_rounds() - 1 }} as round_before on last_round.cluster_id = round_before.cluster_id

),

groups as (

    select
        labelled.label,
        sum(sized.account_count) as account_count,
        min(sized.lowest_member_number) as lowest_member_number,
        max(sized.highest_member_number) as highest_member_number
    from labelled
    inner join sized on labelled.cluster_id = sized.cluster_id
    group by labelled.label

),

-- Somebody has decided that these two are not one.
kept_apart as (

    select distinct coalesce(left_labels.label, left_clusters.cluster_id) as label
    from decisions
    inner join clusters as left_clusters on decisions.account_id = left_clusters.account_id
    inner join clusters as right_clusters on decisions.other_account_id = right_clusters.account_id
    left join labelled as left_labels on left_clusters.cluster_id = left_labels.cluster_id
    left join labelled as right_labels on right_clusters.cluster_id = right_labels.cluster_id
    where
        decisions.decision = 'keep_apart'
        and coalesce(left_labels.label, left_clusters.cluster_id) = coalesce(right_labels.label, right_clusters.cluster_id)

),

allowed as (

    select groups.label
    from groups
    left join kept_apart on groups.label = kept_apart.label
    where
        kept_apart.label is null
        and groups.account_count <= {{ brand_identity_max_accounts() }}
        and coalesce(groups.lowest_member_number = groups.highest_member_number, true)

),

resolved as (

    select
        clusters.account_id,
        coalesce(allowed.label, clusters.cluster_id) as cluster_id,
        coalesce(labelled.is_settled, true) as is_settled
    from clusters
    left join labelled on clusters.cluster_id = labelled.cluster_id
    left join allowed on labelled.label = allowed.label

)

select * from resolved
{%- endmacro %}
