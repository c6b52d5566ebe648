"""The 32 bodies that distribute allowances and review surrenders: provinces and the like, by code.

Codes are the two digits of GB/T 2260. The standard has none for the Xinjiang Production and
Construction Corps, which acts for its own enterprises: 66 is what statistics write for it.
"""

from typing import NamedTuple


class Province(NamedTuple):
    """A province, autonomous region, municipality, or the Corps."""

    code: int
    name: str
    term: str
    """Its Chinese name."""


_PROVINCES = (
    Province(11, "Beijing", "北京市"),
    Province(12, "Tianjin", "天津市"),
    Province(13, "Hebei", "河北省"),
    Province(14, "Shanxi", "山西省"),
    Province(15, "Inner Mongolia", "内蒙古自治区"),
    Province(21, "Liaoning", "辽宁省"),
    Province(22, "Jilin", "吉林省"),
    Province(23, "Heilongjiang", "黑龙江省"),
    Province(31, "Shanghai", "上海市"),
    Province(32, "Jiangsu", "江苏省"),
    Province(33, "Zhejiang", "浙江省"),
    Province(34, "Anhui", "安徽省"),
    Province(35, "Fujian", "福建省"),
    Province(36, "Jiangxi", "江西省"),
    Province(37, "Shandong", "山东省"),
    Province(41, "Henan", "河南省"),
    Province(42, "Hubei", "湖北省"),
    Province(43, "Hunan", "湖南省"),
    Province(44, "Guangdong", "广东省"),
    Province(45, "Guangxi", "广西壮族自治区"),
    Province(46, "Hainan", "海南省"),
    Province(50, "Chongqing", "重庆市"),
    Province(51, "Sichuan", "四川省"),
    Province(52, "Guizhou", "贵州省"),
    Province(53, "Yunnan", "云南省"),
    Province(54, "Tibet", "西藏自治区"),
    Province(61, "Shaanxi", "陕西省"),
    Province(62, "Gansu", "甘肃省"),
    Province(63, "Qinghai", "青海省"),
    Province(64, "Ningxia", "宁夏回族自治区"),
    Province(65, "Xinjiang", "新疆维吾尔自治区"),
    Province(66, "Xinjiang Production and Construction Corps", "新疆生产建设兵团"),
)

PROVINCES: dict[int, Province] = {province.code: province for province in _PROVINCES}
"""By code, ascending."""
