"""Clusters of members: journeys (what follows what in their behaviour) and strata (how they buy and browse).

Frames in, frames out. What a member's vector is made of is SQL (feat_members_*); segments by rule are dbt models.
"""
