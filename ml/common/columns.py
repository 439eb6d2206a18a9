"""Column names that cross the border between the warehouse and `ml`, in one place.

Renaming a column in dbt means renaming it here and nowhere else in `ml`. How a column is computed belongs in dbt.
"""

from __future__ import annotations

MEMBER_ID = "member_id"
AS_OF_DATE = "as_of_date"  # exclusive cut: facts with business_date < as_of_date are known
BUSINESS_DATE = "business_date"
KEYS = [MEMBER_ID, AS_OF_DATE]

RECENCY = "recency_days"
ORDER_COUNT = "order_count_90d"
SPEND = "spend_amount_90d"
RFM = [RECENCY, ORDER_COUNT, SPEND]

LABEL = "label"
SCORE = "score"
PERCENTILE = "percentile"
TIER = "tier"
MODEL_NAME = "model_name"
MODEL_VERSION = "model_version"
HORIZON_DAYS = "horizon_days"
SCORE_COLUMNS = [MEMBER_ID, MODEL_VERSION, TIER, HORIZON_DAYS, SCORE, PERCENTILE, AS_OF_DATE]

# Features that grow with the age of the data: a model trained on young history meets values it has never seen.
EXCLUDED_FEATURES = frozenset({"tenure_days"})
EXCLUDED_PREFIXES = ("lifetime_", "first_order_")
