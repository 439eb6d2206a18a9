{#
    Facts keep the account that did something and the member whom the account belongs to now. When accounts turn out to be one person,
    or not to be, the rows of the accounts that moved get their new member before anything else is done; all others stay. Only the
    two columns of ids are compared.
#}

{# Pre-hook of a fact with account_id and member_id. It comes before those that delete: they look at members. #}
{% macro reassign_members() -%}
    {%- if is_incremental() -%}
    update {{ this }} as kept
    set member_id = resolved.member_id
    from {{ ref('int_accounts_resolved') }} as resolved
    where kept.account_id = resolved.account_id and kept.member_id is distinct from resolved.member_id
    {%- else -%}
    select 1 as nothing_to_reassign
    {%- endif -%}
{%- endmacro %}

{# Pre-hook of fct_events: the same for visits of which only a device is known. #}
{% macro reassign_visitors() -%}
    {%- if is_incremental() -%}
    update {{ this }} as kept
    set
        member_id = found.member_id,
        is_anonymous = found.member_id is null,
        is_member_inferred = found.member_id is not null
    from (
        select
            visits.event_id,
            inferred.member_id
        from {{ this }} as visits
        left join (
            select anonymous.event_id, visitors.member_id
            from {{ this }} as anonymous
            inner join {{ ref('int_anonymous_resolved') }} as visitors on {{ is_visit_of('anonymous', 'visitors') }}
            where anonymous.is_behaviour and anonymous.account_id is null
        ) as inferred on visits.event_id = inferred.event_id
        where
            visits.is_behaviour
            and visits.account_id is null
            and visits.anonymous_id is not null
            and visits.member_id is distinct from inferred.member_id
    ) as found
    where kept.event_id = found.event_id
    {%- else -%}
    select 1 as nothing_to_reassign
    {%- endif -%}
{%- endmacro %}

{# Whether an event of a logged-out visitor falls into the time for which a device was somebody's. #}
{% macro is_visit_of(events, visitors, instant='event_at') -%}
    {{ events }}.anonymous_id = {{ visitors }}.anonymous_id
    and {{ events }}.source_system = {{ visitors }}.source_system
    and {{ events }}.{{ instant }} >= {{ visitors }}.valid_from
    and {{ events }}.{{ instant }} < {{ visitors }}.valid_to
{%- endmacro %}
