"""What a simulated brand is made with: one frozen dataclass of sizes, rates and shares, each with its meaning.

Fixed vocabularies (categories, provinces, names) belong in `catalogue`, `places` and `people`; the definitions of
campaigns and experiments in `campaigns`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date, timedelta

VERSION = "2"  # raise it when the same configuration gives other bytes: written brands are then made again
COHORT_MEMBERS = 1_000  # unit of random numbers: a member's data depends on the seed and their cohort, never on blocks
UTC_OFFSET_SECONDS = 8 * 3600  # Asia/Shanghai has had no summer time since 1991


@dataclass(frozen=True)
class MessRates:
    """How dirty the output is. Shares of rows unless they say otherwise; 0 switches a kind off.

    Together well below 1 % of a file's rows end up unreadable: above that a landing takes the file itself for broken.
    """

    duplicate_in_file: float = 0.004  # exact repeat, same file (a client sent twice)
    duplicate_across_files: float = 0.001  # exact repeat in the next file as well (an export window that overlaps)
    late_event: float = 0.006  # arrives in the next file, hours to weeks after it happened
    future_event: float = 0.0002  # dated 2037 and later: a device whose clock nobody set
    skewed_device: float = 0.004  # share of devices whose clock is hours off; all their events are
    malformed_row: float = 0.0003  # cut off in the middle of a record
    null_required: float = 0.0003  # no time, no event name, no order number
    unknown_event: float = 0.0015  # names that no tracking plan has
    shared_device: float = 0.03  # share of members on the device of another member of their household
    recycled_phone: float = 0.25  # share of given-up numbers that a later member of the cohort is given
    phone_change_yearly: float = 0.05  # members who change their number, per year
    contact_typo: float = 0.015  # phones and e-mails with a typo or in an odd form that cannot be repaired
    contact_odd_form: float = 0.12  # phones and e-mails that can: full-width digits, +86, blanks, capitals
    test_account: float = 0.001  # share of members
    internal_account: float = 0.0015  # share of members
    bots_per_10k_members: float = 3.0  # crawlers; each makes thousands of events in bursts no finger can
    over_refund: float = 0.004  # share of refunds: more goes back than was paid


@dataclass(frozen=True)
class SimulatorConfig:
    """One brand. Times are Asia/Shanghai, money is yuan."""

    members: int = 20_000
    start: date = date(2025, 7, 1)
    days: int = 365
    seed: int = 7
    # Two members in three use the app or the mini-program, at about one visit in three weeks with 11 events, gamma
    # distributed. A marketplace such as Taobao sees an active user twice a day; a single brand does not.
    events_per_member: float = 150.0
    # Orders per member and year before replenishment and campaigns, over all channels and including members who have
    # lapsed already: gamma with this mean. CDNOW buyers place 3.0 in 18 months, completejourney households 2 a week.
    orders_per_member: float = 5.0
    purchase_rate_shape: float = (
        1.8  # gamma shape of the rates; fits to CDNOW give 0.24, but its cohort are all first buyers
    )
    lapse_hazard_mean: float = 0.035  # monthly chance that a living member never comes back
    lapse_hazard_concentration: float = 18.0  # beta: higher = members more alike
    joined_before_start: float = 0.68  # share registered in the three years before the first day
    products: int = 720  # SKUs; a brand this size has 500 to 2,000
    product_zipf: float = (
        0.62  # exponent of popularity within a category; Taobao's top 10 % of items get 43 % of events
    )
    stores: int = 24
    basket_mean: float = 2.1  # lines per order before add-ons; a beauty brand's 连带率 lies between 1.6 and 2.5
    refund_full: float = 0.045  # of paid online orders; beauty on Tmall runs at 4 to 8 %
    refund_partial: float = 0.05
    unpaid: float = 0.045  # orders never paid
    cancelled: float = 0.02  # paid, then called off before they ship
    gift: float = 0.03  # receiver is not the buyer
    daily_files: int = 14  # last days that come as a file each; before, one file per month
    mess: MessRates = field(default_factory=MessRates)

    def __post_init__(self) -> None:
        if self.members < 100 or self.days < 30:
            raise ValueError(f"members must be 100 or more and days 30 or more, found {self.members} and {self.days}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, found {self.seed}")
        if not 0 <= self.daily_files <= self.days:
            raise ValueError(f"daily_files must lie between 0 and days ({self.days}), found {self.daily_files}")

    @property
    def end(self) -> date:
        """First day that is not simulated."""
        return self.start + timedelta(days=self.days)

    @property
    def seconds(self) -> int:
        return self.days * 86_400

    def as_json(self) -> dict[str, object]:
        """The configuration as JSON values; two brands with the same one and the same VERSION are the same bytes."""
        return {**asdict(self), "start": self.start.isoformat()}
