"""Where members live: provinces and cities with shares near the census of 2020, weighted to online beauty buyers.

How a source writes a region belongs in `silos`; regions of the warehouse come from its own reference tables.
"""

from __future__ import annotations

# province as the state writes it: (short form, weight, cities)
PROVINCES: dict[str, tuple[str, float, tuple[str, ...]]] = {
    "广东省": ("广东", 12.0, ("广州市", "深圳市", "佛山市", "东莞市")),
    "江苏省": ("江苏", 8.4, ("南京市", "苏州市", "无锡市")),
    "浙江省": ("浙江", 8.2, ("杭州市", "宁波市", "温州市")),
    "上海市": ("上海", 7.6, ("上海市",)),
    "北京市": ("北京", 6.6, ("北京市",)),
    "山东省": ("山东", 6.2, ("济南市", "青岛市", "烟台市")),
    "四川省": ("四川", 5.8, ("成都市", "绵阳市")),
    "河南省": ("河南", 5.0, ("郑州市", "洛阳市")),
    "湖北省": ("湖北", 4.4, ("武汉市", "宜昌市")),
    "湖南省": ("湖南", 4.0, ("长沙市", "株洲市")),
    "福建省": ("福建", 3.8, ("福州市", "厦门市", "泉州市")),
    "河北省": ("河北", 3.4, ("石家庄市", "唐山市")),
    "安徽省": ("安徽", 3.3, ("合肥市", "芜湖市")),
    "陕西省": ("陕西", 2.8, ("西安市", "咸阳市")),
    "辽宁省": ("辽宁", 2.6, ("沈阳市", "大连市")),
    "重庆市": ("重庆", 2.6, ("重庆市",)),
    "江西省": ("江西", 2.3, ("南昌市", "赣州市")),
    "广西壮族自治区": ("广西", 1.9, ("南宁市", "柳州市")),
    "云南省": ("云南", 1.8, ("昆明市", "大理白族自治州")),
    "天津市": ("天津", 1.7, ("天津市",)),
    "黑龙江省": ("黑龙江", 1.5, ("哈尔滨市", "大庆市")),
    "山西省": ("山西", 1.5, ("太原市", "大同市")),
    "贵州省": ("贵州", 1.4, ("贵阳市", "遵义市")),
    "吉林省": ("吉林", 1.2, ("长春市", "吉林市")),
    "内蒙古自治区": ("内蒙古", 1.0, ("呼和浩特市", "包头市")),
    "新疆维吾尔自治区": ("新疆", 0.9, ("乌鲁木齐市",)),
    "甘肃省": ("甘肃", 0.8, ("兰州市",)),
    "海南省": ("海南", 0.7, ("海口市", "三亚市")),
    "宁夏回族自治区": ("宁夏", 0.3, ("银川市",)),
    "青海省": ("青海", 0.2, ("西宁市",)),
    "西藏自治区": ("西藏", 0.1, ("拉萨市",)),
}

# (province, short form, city, weight): one row per city; a province's weight is shared 2 : 1 : 1 …
CITIES: tuple[tuple[str, str, str, float], ...] = tuple(
    (province, short, city, weight * (2.0 if position == 0 else 1.0) / (len(cities) + 1))
    for province, (short, weight, cities) in PROVINCES.items()
    for position, city in enumerate(cities)
)

# As an address begins: province and city, a city that is a province once.
FULL_REGIONS: tuple[str, ...] = tuple(
    province if city == province else province + city for province, _, city, _ in CITIES
)
