"""Names as members write them: surnames with their pinyin and weight, and characters of given names. No real person.

Which member has which name is drawn in `population`.
"""

from __future__ import annotations

# Share of the population in percent (2020, Ministry of Public Security, rounded); the commonest, renormalised.
_SURNAMES = """王 wang 7.1 李 li 7.0 张 zhang 6.5 刘 liu 5.3 陈 chen 4.6 杨 yang 3.2 黄 huang 2.3 赵 zhao 2.2 吴 wu 2.0 周 zhou 1.9
徐 xu 1.5 孙 sun 1.5 马 ma 1.3 朱 zhu 1.2 胡 hu 1.2 郭 guo 1.1 何 he 1.1 高 gao 1.0 林 lin 1.0 罗 luo 0.9 郑 zheng 0.9 梁 liang 0.8
谢 xie 0.7 宋 song 0.7 唐 tang 0.7 许 xu 0.7 韩 han 0.6 冯 feng 0.6 邓 deng 0.6 曹 cao 0.6 彭 peng 0.5 曾 zeng 0.5 肖 xiao 0.5
田 tian 0.4 董 dong 0.4 袁 yuan 0.4 潘 pan 0.4 于 yu 0.4 蒋 jiang 0.4 蔡 cai 0.4 余 yu 0.4 杜 du 0.4 叶 ye 0.4 程 cheng 0.4
苏 su 0.4 魏 wei 0.4 吕 lv 0.3 丁 ding 0.3 任 ren 0.3 沈 shen 0.3 姚 yao 0.3 卢 lu 0.3 姜 jiang 0.3 崔 cui 0.3 钟 zhong 0.3
谭 tan 0.3 陆 lu 0.3 汪 wang 0.3 范 fan 0.3 金 jin 0.3 石 shi 0.3 廖 liao 0.3 贾 jia 0.2 夏 xia 0.2 韦 wei 0.2 付 fu 0.2"""
_WORDS = _SURNAMES.split()
SURNAMES = tuple(_WORDS[0::3])
SURNAMES_LATIN = tuple(_WORDS[1::3])
SURNAME_WEIGHTS = tuple(float(weight) for weight in _WORDS[2::3])

GIVEN_WOMEN = tuple("婷静敏丽娜芳洁雪梦欣怡佳颖琳璐瑶思雨诗涵子萱雅慧玲艳燕倩妍晨曦悦彤薇莹蕾菲")
GIVEN_MEN = tuple("伟强磊军勇杰涛超明刚平辉鹏浩宇轩博文俊凯航子豪天泽睿晨阳志远建国嘉诚斌峰")
MAIL_DOMAINS = ("qq.com", "163.com", "126.com", "gmail.com", "outlook.com", "sina.com", "foxmail.com")
MAIL_WEIGHTS = (0.46, 0.22, 0.08, 0.08, 0.06, 0.05, 0.05)
