"""What the brand sells and where: category tree, products with prices over time, shops and content, and what goes together.

One catalogue for the whole brand, drawn once. Who likes what belongs in `population`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from simulator.config import SimulatorConfig
from simulator.places import CITIES
from simulator.randomness import choose, generator

# (code, zh, en): [(code, zh, en, share of sales, median price, share of women's and of men's taste,
#                   [(zh, en, days one unit lasts, 0 = not used up)])]
TREE: tuple[tuple[str, str, str, tuple[tuple[str, str, str, float, float, float, float, tuple], ...]], ...] = (
    ("SK", "护肤", "Skincare", (
        ("SK1", "洁面", "Cleansers", 9, 88, 1.0, 1.4,
         (("洁面乳", "Cleansing foam", 60), ("卸妆油", "Cleansing oil", 75), ("洁颜泥", "Clay cleanser", 60))),
        ("SK2", "精华", "Serums", 14, 268, 1.1, 0.6,
         (("抗皱精华", "Anti-ageing serum", 60), ("美白精华", "Brightening serum", 55), ("修护精华", "Repair serum", 50))),
        ("SK3", "面霜", "Creams", 10, 218, 1.0, 0.9, (("保湿面霜", "Moisturiser", 60), ("眼霜", "Eye cream", 80))),
        ("SK4", "面膜", "Masks", 12, 109, 1.1, 0.5, (("补水面膜", "Hydrating mask", 30), ("涂抹面膜", "Wash-off mask", 45))),
        ("SK5", "防晒", "Sunscreen", 6, 128, 1.0, 0.8,
         (("防晒霜", "Sunscreen lotion", 50), ("防晒喷雾", "Sunscreen spray", 45))),
        ("SK6", "化妆水", "Toners", 6, 148, 1.1, 0.6, (("爽肤水", "Toner", 60), ("乳液", "Emulsion", 60))),
    )),
    ("MK", "彩妆", "Make-up", (
        ("MK1", "唇妆", "Lips", 9, 148, 1.2, 0.15,
         (("口红", "Lipstick", 150), ("唇釉", "Lip glaze", 140), ("润唇膏", "Lip balm", 90))),
        ("MK2", "底妆", "Foundation", 7, 208, 1.2, 0.2,
         (("粉底液", "Foundation", 110), ("气垫", "Cushion", 90), ("散粉", "Loose powder", 120))),
        ("MK3", "眼妆", "Eyes", 5, 118, 1.2, 0.1,
         (("眼影盘", "Eyeshadow palette", 0), ("睫毛膏", "Mascara", 100), ("眉笔", "Brow pencil", 90))),
    )),
    ("FR", "香氛", "Fragrance", (
        ("FR1", "香水", "Perfume", 5, 388, 1.0, 1.3,
         (("女士香水", "Women's perfume", 200), ("男士香水", "Men's perfume", 200), ("中性香水", "Unisex perfume", 200))),
        ("FR2", "家居香氛", "Home fragrance", 3, 158, 1.0, 0.7, (("香薰蜡烛", "Scented candle", 60), ("扩香", "Diffuser", 75))),
    )),
    ("PC", "个护", "Personal care", (
        ("PC1", "洗护发", "Hair care", 7, 79, 1.0, 1.4, (("洗发水", "Shampoo", 60), ("发膜", "Hair mask", 75))),
        ("PC2", "身体护理", "Body care", 6, 85, 1.0, 0.9,
         (("沐浴露", "Body wash", 60), ("身体乳", "Body lotion", 60), ("护手霜", "Hand cream", 45))),
        ("PC3", "男士护理", "Men's care", 3, 108, 0.2, 4.0, (("男士洁面", "Men's cleanser", 60), ("剃须", "Shaving", 60))),
    )),
    ("LF", "生活方式", "Lifestyle", (
        ("LF1", "美妆工具", "Beauty tools", 4, 49, 1.1, 0.4,
         (("化妆刷", "Brushes", 0), ("化妆棉", "Cotton pads", 40), ("美容仪", "Beauty device", 0))),
        ("LF2", "家居", "Home", 3, 139, 1.0, 0.8, (("床品", "Bed linen", 0), ("茶具", "Tea ware", 0))),
    )),
)  # fmt: skip

_SERIES = (("山茶花", "Camellia"), ("雪莲", "Snow Lotus"), ("烟酰胺", "Niacinamide"), ("玻尿酸", "Hyaluron"), ("白茶", "White Tea"),
           ("青柑", "Green Mandarin"), ("玫瑰", "Rose"), ("檀木", "Sandalwood"), ("积雪草", "Centella"), ("海盐", "Sea Salt"),
           ("桂花", "Osmanthus"), ("神经酰胺", "Ceramide"))  # fmt: skip
_SKIN = (("干性", "dry"), ("油性", "oily"), ("混合性", "combination"), ("敏感性", "sensitive"), ("所有肤质", "all"))
_SIZES = {"SK": ("30ml", "50ml", "100ml", "150ml"), "MK": ("3.5g", "12g", "30ml"), "FR": ("30ml", "50ml", "100ml"),
          "PC": ("200ml", "400ml", "500ml"), "LF": ("1件", "2件套", "50片")}  # fmt: skip
_MARGINS = {"SK": 0.24, "MK": 0.27, "FR": 0.30, "PC": 0.36, "LF": 0.45}  # cost of goods, share of the list price
# Categories of which the one calls for the other: (from, to, weight).
_GOES_WITH = (("SK1", "SK6", 3.0), ("SK2", "SK3", 3.0), ("SK6", "SK3", 2.0), ("SK4", "SK2", 1.0), ("SK5", "SK1", 1.5),
              ("MK2", "MK1", 1.5), ("MK2", "LF1", 2.0), ("MK1", "MK3", 1.5), ("MK3", "SK1", 1.0), ("FR1", "PC2", 1.0),
              ("FR2", "LF2", 2.0), ("PC1", "PC2", 2.5), ("PC3", "FR1", 1.5), ("LF1", "MK2", 1.0), ("LF2", "FR2", 1.0),
              ("SK3", "SK2", 1.0), ("PC2", "FR1", 1.0))  # fmt: skip
PARTNERS = 3  # add-ons that each product has

CONTENT_KINDS = (("article", "图文"), ("video", "短视频"), ("live", "直播"))


@dataclass(frozen=True)
class Categories:
    """The third level, with what stands above it. Arrays are by level 3 unless they say level 2."""

    l1: tuple[tuple[str, str, str], ...]  # of each level-2 category: code, zh, en
    l2: tuple[tuple[str, str, str], ...]  # code, zh, en
    l2_of_l3: np.ndarray
    l3: tuple[tuple[str, str, str], ...]
    lasts_days: np.ndarray  # by level 3; 0 = not used up
    share: np.ndarray  # by level 2, sum 1
    price: np.ndarray  # by level 2, median yuan
    taste: np.ndarray  # (women, men) x level 2, mean taste


@dataclass(frozen=True)
class Catalogue:
    """Products are sorted by level-2 category. Prices are in fen."""

    categories: Categories
    code: np.ndarray  # text
    spu: np.ndarray
    name_zh: np.ndarray
    name_en: np.ndarray
    series: np.ndarray  # number of the series
    l3: np.ndarray
    l2: np.ndarray
    size: np.ndarray
    attributes: np.ndarray  # JSON text
    price: np.ndarray  # (changes + 1, products) fen: list price after each change
    price_from: np.ndarray  # (changes + 1, products) day from which it holds; the first row is far in the past
    cost: np.ndarray  # fen
    launched: np.ndarray  # day, negative = before the period
    popularity: np.ndarray  # share within the level-2 category
    running_popularity: np.ndarray  # running sum over all products: +1 per level-2 category
    first_of_l2: np.ndarray  # position of the category's best seller that was there from the start
    lasts_days: np.ndarray
    partners: np.ndarray  # (products, PARTNERS) products that go with it
    moved_l3: tuple[int, int, int]  # product category tree change: (day, level-3 category, new level-2 category)
    store_name: np.ndarray
    store_city: np.ndarray  # row of places.CITIES
    store_opened: np.ndarray  # day
    content_kind: np.ndarray  # row of CONTENT_KINDS
    content_l2: np.ndarray
    content_product: np.ndarray
    content_at: np.ndarray  # second published

    def list_price(self, product: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Fen per unit on a day."""
        price = self.price[0, product]
        for change in range(1, len(self.price)):
            price = np.where(self.price_from[change, product] <= day, self.price[change, product], price)
        return price

    def draw(self, rng: np.random.Generator, l2: np.ndarray, day: np.ndarray) -> np.ndarray:
        """A product of each level-2 category by popularity; one not launched yet gives way to the category's best seller."""
        position = np.searchsorted(self.running_popularity, l2 + rng.random(len(l2)), side="right")
        product = np.minimum(position, len(self.code) - 1)
        return np.where(self.launched[product] <= day, product, self.first_of_l2[l2])


def build_categories() -> Categories:
    l1, l2, share, price, taste, l3, l2_of_l3, lasts = [], [], [], [], [], [], [], []
    for code1, zh1, en1, children in TREE:
        for code2, zh2, en2, weight, median, women, men, leaves in children:
            l1.append((code1, zh1, en1))
            l2.append((code2, zh2, en2))
            share.append(weight)
            price.append(median)
            taste.append((women, men))
            for number, (zh3, en3, days) in enumerate(leaves, start=1):
                l3.append((f"{code2}{number:02d}", zh3, en3))
                l2_of_l3.append(len(l2) - 1)
                lasts.append(days)
    shares = np.array(share, dtype=float)
    return Categories(
        l1=tuple(l1), l2=tuple(l2), l2_of_l3=np.array(l2_of_l3), l3=tuple(l3), lasts_days=np.array(lasts),
        share=shares / shares.sum(), price=np.array(price, dtype=float), taste=np.array(taste).T,
    )  # fmt: skip


def build_catalogue(config: SimulatorConfig) -> Catalogue:
    """The catalogue of a configuration. A few thousand products at most, so plain loops name them."""
    rng = generator(config.seed, "catalogue")
    categories = build_categories()
    count = config.products
    # Every level-3 category has products; the rest go by sales.
    per_l3 = np.bincount(categories.l2_of_l3)[categories.l2_of_l3]
    weights = categories.share[categories.l2_of_l3] / per_l3
    l3 = np.sort(np.concatenate([np.arange(len(weights)), choose(rng, weights, count - len(weights))]))
    l2 = categories.l2_of_l3[l3]
    series = rng.integers(0, len(_SERIES), count)
    skin = rng.integers(0, len(_SKIN), count)
    price0 = np.maximum(categories.price[l2] * np.exp(rng.normal(0, 0.38, count)), 19)
    price0 = (np.round(price0 / 10) * 10 - 1).clip(min=9).astype(np.int64) * 100
    changes = 3
    price_from = np.full((changes + 1, count), 1 << 30, dtype=np.int64)
    price_from[0] = -(1 << 20)
    price = np.repeat(price0[None], changes + 1, axis=0)
    for change in range(1, changes + 1):
        moves = rng.random(count) < 0.16
        day = rng.integers(20, max(21, config.days - 5), count)
        factor = rng.choice([0.9, 0.95, 1.05, 1.08, 1.12], count)
        price_from[change] = np.where(
            moves, np.maximum(day, np.where(price_from[change - 1] < 1 << 29, price_from[change - 1] + 1, 0)), 1 << 30
        )
        price[change] = np.where(
            moves, (np.round(price[change - 1] * factor / 100) * 100).astype(np.int64), price[change - 1]
        )
    late = rng.random(count) < 0.08
    launched = np.where(late, rng.integers(10, max(11, config.days - 20), count), -rng.integers(30, 1500, count))

    popularity = np.zeros(count)
    first = np.zeros(len(categories.l2), dtype=np.int64)
    for category in range(len(categories.l2)):
        mine = np.flatnonzero(l2 == category)
        ranks = rng.permutation(len(mine)) + 1
        weight = ranks**-config.product_zipf
        popularity[mine] = weight / weight.sum()
        old = np.flatnonzero(launched[mine] < 0)
        best = old if len(old) else np.arange(len(mine))
        first[category] = mine[best[np.argmax(weight[best])]]
        launched[first[category]] = min(launched[first[category]], -30)
    running = np.cumsum(popularity)

    goes_with = {code: number for number, (code, _, _) in enumerate(categories.l2)}
    partner_share = np.full((len(categories.l2), len(categories.l2)), 0.02)
    for one, other, weight in _GOES_WITH:
        partner_share[goes_with[one], goes_with[other]] += weight
    partners = np.zeros((count, PARTNERS), dtype=np.int64)
    for product in range(count):
        drawn = choose(rng, partner_share[l2[product]], PARTNERS)
        for slot, category in enumerate(drawn):
            same = np.flatnonzero((l2 == category) & (series == series[product]) & (launched < 0))
            pool = same if len(same) else np.flatnonzero((l2 == category) & (launched < 0))
            pool = pool[pool != product]
            partners[product, slot] = rng.choice(pool) if len(pool) else first[category]

    names_zh, names_en, sizes, attributes, codes, spus = [], [], [], [], [], []
    for number in range(count):
        code3, zh3, en3 = categories.l3[l3[number]]
        zh_series, en_series = _SERIES[series[number]]
        size = _SIZES[code3[:2]][int(rng.integers(0, len(_SIZES[code3[:2]])))]
        sizes.append(size)
        names_zh.append(f"{zh_series}{zh3} {size}")
        names_en.append(f"{en_series} {en3} {size}")
        attributes.append(json.dumps(
            {
                "series": zh_series,
                **({"skin_type": _SKIN[skin[number]][0]} if code3[:2] == "SK" else {}),
                "is_vegan": bool(skin[number] % 2),
            },
            ensure_ascii=False))  # fmt: skip
        codes.append(f"{code3}{number:05d}")
        spus.append(f"S{code3}{series[number]:02d}")

    cost_share = np.array([_MARGINS[categories.l2[category][0][:2]] for category in l2])
    stores = config.stores
    store_city = choose(rng, [city[3] for city in CITIES], stores)
    contents = max(60, config.days // 2)
    content_l2 = choose(rng, categories.share, contents)
    return Catalogue(
        categories=categories,
        code=np.array(codes), spu=np.array(spus), name_zh=np.array(names_zh), name_en=np.array(names_en),
        series=series, l3=l3, l2=l2, size=np.array(sizes), attributes=np.array(attributes),
        price=price, price_from=price_from,
        cost=np.round(price0 * cost_share * np.exp(rng.normal(0, 0.1, count))).astype(np.int64),
        launched=launched, popularity=popularity, running_popularity=running, first_of_l2=first,
        lasts_days=categories.lasts_days[l3], partners=partners,
        # Make-up tools move under make-up in the middle of the period.
        moved_l3=(config.days // 2, [c[0] for c in categories.l3].index("LF101"), goes_with["MK3"]),
        store_name=np.array([f"{CITIES[c][2].removesuffix('市')}{n + 1:02d}店" for n, c in enumerate(store_city)]),
        store_city=store_city, store_opened=-rng.integers(60, 2500, stores),
        content_kind=choose(rng, (0.5, 0.3, 0.2), contents), content_l2=content_l2,
        content_product=np.minimum(
            np.searchsorted(running, content_l2 + rng.random(contents), side="right"), count - 1
        ),
        content_at=np.sort(rng.integers(-60 * 86_400, max(1, config.seconds - 86_400), contents)),
    )  # fmt: skip
