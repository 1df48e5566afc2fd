package dataset

import (
	"fmt"

	"github.com/kuasheng/kuasheng/internal/ident"
)

// Syllables of names, one character each. Surnames stand roughly by frequency.
const (
	surnames = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
	male     = "伟强磊军勇涛明超杰鹏辉刚健平波斌宇浩凯毅俊峰建国志文海山仁德义礼智信永兴荣昌盛安邦宏远祥瑞庆丰茂林松柏"
	female   = "芳娜敏静丽艳娟霞秀英玲燕红梅兰菊莲芝琴云月华玉珍珠翠萍雪琳慧婷雅淑贞惠洁颖倩蓉薇蕊岚馨怡婉凤仙秋春"
	brands   = "华新盛达恒通瑞丰嘉信泰安隆鼎远宏博联创金海天和德润万升中正诚立永兴康明东方星辰锦程凯旋云帆启航百川智诺科宇"
)

func (c *census) name(sex ident.Sex) string {
	syllables := []rune(male)
	if sex == ident.Female {
		syllables = []rune(female)
	}
	list := []rune(surnames)
	// The smaller of two throws: frequent surnames stand first.
	name := []rune{list[min(c.IntN(len(list)), c.IntN(len(list)))], pick(c.dice, syllables)}
	if c.chance(68) {
		name = append(name, pick(c.dice, syllables))
	}
	return string(name)
}

// address makes a street address of a county.
func address(d dice, p province, at county) string {
	streets := []string{
		"人民路", "建设路", "文化路", "花园路", "和平路", "解放路", "中山路", "新华路", "胜利路", "光明路", "学院路", "滨河路",
	}
	estates := []string{
		"阳光花园", "和谐家园", "锦绣苑", "翠湖小区", "东方名邸", "书香苑", "康乐小区", "桂花园", "望江苑", "金色家园",
	}
	return fmt.Sprintf("%s%s%s%s%d号%s%d号楼%d单元%d%02d室", p.name(), at.city, at.name, pick(d, streets), d.between(1, 399),
		pick(d, estates), d.between(1, 30), d.between(1, 4), d.between(1, 26), d.between(1, 4))
}
