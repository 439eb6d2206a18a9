{# Facts, one row each: a day with shares or likes (share_count, like_count), or a review (review_id, rating). #}
{% macro tag_family_social() %}
{% set declarations %}
code: social
label_zh: 社交与口碑
label_en: Social and word of mouth
subject: member
owner: community
source: agg_member_days, fct_reviews
facts:
  review_id: fct_reviews.review_id
  rating: fct_reviews.rating
  has_image: fct_reviews.image_count
  has_text: fct_reviews.has_content
  is_append: fct_reviews.is_append
  share_count: agg_member_days.share_count
  like_count: agg_member_days.content_like_count
  business_date: 'fct_reviews.business_date, agg_member_days.business_date'
  age_days: 'fct_reviews.business_date, agg_member_days.business_date'
tags:
  - {code: 'share_count_{window}d', kind: count, needs: [events], label_zh: '近{window}天分享次数', label_en: 'Shares in the last {window} days', type: integer, default: 0, windows: [7, 30, 90, 365], unit: times, goal: 裂变拉新 / members who bring members, sql: 'sum(case when {recent} then share_count else 0 end)'}
  - {code: 'review_count_{window}d', kind: count, needs: [reviews], label_zh: '近{window}天评价数', label_en: 'Reviews in the last {window} days', type: integer, default: 0, windows: [30, 90, 365], unit: reviews, goal: 口碑 / word of mouth, sql: 'count(case when {recent} then review_id end)'}
  - {code: average_rating_365d, kind: average, needs: [reviews], label_zh: 近365天平均评分, label_en: Mean rating given in the last 365 days, type: rate, unit: stars, goal: 满意度 / satisfaction, sql: 'avg(case when age_days <= 365 then cast(rating as double) end)'}
  - {code: lowest_rating_90d, kind: extreme, needs: [reviews], label_zh: 近90天最低评分, label_en: Lowest rating given in the last 90 days, type: integer, unit: stars, goal: 差评挽回 / mending bad reviews, sql: 'min(case when age_days <= 90 then rating end)'}
  - {code: good_review_share_365d, kind: ratio, needs: [reviews], label_zh: 近365天好评率, label_en: Share of reviews with four or five stars in the last 365 days, type: rate, unit: share, goal: 满意度 / satisfaction, sql: 'cast(count(case when age_days <= 365 and rating >= 4 then 1 end) as double) / nullif(count(case when age_days <= 365 and rating is not null then 1 end), 0)'}
  - {code: bad_review_count_90d, kind: count, needs: [reviews], label_zh: 近90天差评数, label_en: Reviews with one or two stars in the last 90 days, type: integer, default: 0, unit: reviews, allowed_uses: [analysis, service, suppression], goal: 差评挽回 / mending bad reviews, sql: 'count(case when age_days <= 90 and rating <= 2 then 1 end)'}
  - {code: image_review_count_365d, kind: count, needs: [reviews], label_zh: 近365天带图评价数, label_en: Reviews with a picture in the last 365 days, type: integer, default: 0, unit: reviews, goal: 种草达人 / creators, sql: 'count(case when age_days <= 365 and has_image then review_id end)'}
  - {code: appended_review_count_365d, kind: count, needs: [reviews], label_zh: 近365天追评数, label_en: Reviews added to later in the last 365 days, type: integer, default: 0, unit: reviews, goal: 种草达人 / creators, sql: 'count(case when age_days <= 365 and is_append then review_id end)'}
  - {code: last_share_date, kind: first_last, needs: [events], label_zh: 最近分享日期, label_en: Last share, type: date, goal: 裂变拉新 / members who bring members, sql: 'max(case when share_count > 0 then business_date end)'}
  - {code: last_review_date, kind: first_last, needs: [reviews], label_zh: 最近评价日期, label_en: Last review, type: date, goal: 口碑 / word of mouth, sql: 'max(case when review_id is not null then business_date end)'}
  - {code: last_rating, kind: first_last, needs: [reviews], label_zh: 最近一次评分, label_en: Rating of the last review (the lowest of that day), type: integer, unit: stars, goal: 满意度 / satisfaction, sql: 'min(case when rating is not null then 10 * age_days + rating end) - 10 * min(case when rating is not null then age_days end)'}
  - {code: is_sharer, kind: flag, needs: [events], label_zh: 是否分享达人（近90天分享3次及以上）, label_en: Three or more shares in the last 90 days, type: boolean, default: 'false', goal: 裂变拉新 / members who bring members, sql: 'sum(case when age_days <= 90 then share_count else 0 end) >= 3'}
  - {code: is_creator, kind: flag, needs: [reviews], label_zh: 是否种草达人（近365天带图好评2条及以上）, label_en: Two or more good reviews with a picture in the last 365 days, type: boolean, default: 'false', goal: 种草达人 / creators, sql: 'count(case when age_days <= 365 and has_image and rating >= 4 then review_id end) >= 2'}
  - {code: is_promoter, kind: flag, needs: [reviews], label_zh: 是否口碑推荐者, label_en: Two or more reviews in 365 days and none below four stars, type: boolean, default: 'false', goal: 口碑 / word of mouth, sql: 'count(case when age_days <= 365 and rating is not null then 1 end) >= 2 and count(case when age_days <= 365 and rating < 4 then 1 end) = 0'}
  - {code: is_detractor, kind: flag, needs: [reviews], label_zh: 是否口碑贬损者, label_en: A review with one or two stars in the last 180 days, type: boolean, default: 'false', allowed_uses: [analysis, service, suppression], goal: 差评挽回 / mending bad reviews, sql: 'count(case when age_days <= 180 and rating <= 2 then 1 end) > 0'}
  - {code: social_score, kind: sum, label_zh: 社交活跃分（0至100）, label_en: 'Social score, 0 to 100: 10 a share, 8 a review, 6 more with a picture, 1 a like, in the last 90 days', type: integer, default: 0, unit: points, goal: 社区活跃 / community, sql: 'least(100, sum(case when age_days <= 90 then 10 * share_count + like_count + case when review_id is not null then 8 else 0 end + case when review_id is not null and has_image then 6 else 0 end else 0 end))'}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
