package ident

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseMask(t *testing.T) {
	for i, name := range []string{"name", "identity_number", "phone", "address", "redact"} {
		m, err := ParseMask(name)
		if err != nil || m != Mask(i+1) || m.String() != name {
			t.Errorf("ParseMask(%q) = %v, %v", name, m, err)
		}
	}
	for _, name := range []string{"", "none", "Name", "hide"} {
		if _, err := ParseMask(name); !errors.Is(err, ErrMask) {
			t.Errorf("ParseMask(%q): %v", name, err)
		}
	}
}

func TestMaskApply(t *testing.T) {
	for _, c := range []struct {
		mask     Mask
		in, want string
	}{
		{MaskNone, "张三", "张三"},
		{MaskName, "张三", "张*"},
		{MaskName, "欧阳修远", "欧*"},
		{MaskName, " 李四", "李*"},
		{MaskName, "买买提·阿不都", "买*"},
		{MaskName, "张", redacted},
		{MaskName, "\xff\xfe", redacted},
		{MaskIdentityNumber, "440524188001010014", "440524********0014"},
		{MaskIdentityNumber, "440524800101001", "440524*****1001"},
		{MaskIdentityNumber, "E12345678", redacted},
		{MaskIdentityNumber, "4405241880010100140", redacted},
		{MaskIdentityNumber, "44052418800101\xff014", redacted},
		{MaskPhone, "13800001234", "138****1234"},
		{MaskPhone, "+86 13800001234", "+86********1234"},
		{MaskPhone, "65901234", redacted},
		{MaskPhone, strings.Repeat("1", 1<<20), redacted},
		{MaskRedact, "1234.50", redacted},
		{Mask(200), "张三", redacted},
		{MaskRedact, "", ""},
		{MaskName, "", ""},
	} {
		if got := c.mask.Apply(c.in); got != c.want {
			t.Errorf("%v.Apply(%q) = %q, want %q", c.mask, c.in, got, c.want)
		}
	}
}

func TestMaskAddress(t *testing.T) {
	for in, want := range map[string]string{
		"河南省郑州市金水区花园路1号院2号楼":       "河南省郑州市金水区",
		"河南省郑州市新郑市龙湖镇某某小区3栋":       "河南省郑州市新郑市",
		"河南省新乡市新乡县七里营镇":            "河南省新乡市新乡县",
		"河南省新乡市红旗区平原路1号":           "河南省新乡市红旗区",
		"河南省开封市鼓楼区寺后街":             "河南省开封市鼓楼区",
		"浙江省义乌市稠城街道北门街1号":          "浙江省义乌市",
		"浙江省嘉兴市桐乡市梧桐街道":            "浙江省嘉兴市桐乡市",
		"浙江省台州市路桥区路桥街道":            "浙江省台州市路桥区",
		"浙江省宁波市镇海区招宝山街道":           "浙江省宁波市镇海区",
		"杭州市拱墅区湖墅南路":               "杭州市拱墅区",
		"广东省东莞市南城街道某某小区5栋":         "广东省东莞市",
		"广东省东莞市长安镇振安路":             "广东省东莞市",
		"北京市朝阳区建国路甲1号":             "北京市朝阳区",
		"上海市浦东新区世纪大道":              "上海市浦东新区",
		"重庆市酉阳土家族苗族自治县桃花源街道":       "重庆市酉阳土家族苗族自治县",
		"贵州省黔西南布依族苗族自治州兴义市坪东街道":    "贵州省黔西南布依族苗族自治州兴义市",
		"内蒙古自治区鄂尔多斯市达拉特旗树林召镇":      "内蒙古自治区鄂尔多斯市达拉特旗",
		"内蒙古自治区兴安盟科尔沁右翼前旗":         "内蒙古自治区兴安盟科尔沁右翼前旗",
		"黑龙江省大兴安岭地区漠河市西林吉镇":        "黑龙江省大兴安岭地区漠河市",
		"黑龙江省哈尔滨市道里区中央大街":          "黑龙江省哈尔滨市道里区",
		"甘肃省临夏回族自治州东乡族自治县锁南镇":      "甘肃省临夏回族自治州东乡族自治县",
		"湖北省神农架林区松柏镇":              "湖北省神农架林区",
		"新疆维吾尔自治区克孜勒苏柯尔克孜自治州阿图什市":  "新疆维吾尔自治区克孜勒苏柯尔克孜自治州阿图什市",
		"云南省临沧市双江拉祜族佤族布朗族傣族自治县勐勐镇": "云南省临沧市双江拉祜族佤族布朗族傣族自治县",
		"北京朝阳区建国路":                 "北京朝阳区",
		"郑州市金水区":                   "郑州市金水区",
		"河南省":                      "河南省",
		"花园路1号金水区":                 "",
		"3号楼502室":                  "",
		"某某小区":                     "",
		"somewhere":                "",
		"市":                        "",
		"\xff\xff":                 "",
	} {
		if got := MaskAddress.Apply(in); got != want+redacted {
			t.Errorf("address %q is masked to %q, want %q", in, got, want+redacted)
		}
	}
}

func FuzzMaskApply(f *testing.F) {
	for _, s := range []string{"张三", "440524188001010014", "13800001234", "河南省郑州市金水区花园路1号", "省市区县"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for m := MaskName; m <= MaskRedact; m++ {
			got := m.Apply(s)
			if (got == "") != (s == "") {
				t.Errorf("%v makes %q of %q", m, got, s)
			}
			if utf8.ValidString(s) && !utf8.ValidString(got) {
				t.Errorf("%v makes invalid UTF-8 of %q", m, s)
			}
			if s != "" && !strings.Contains(got, "*") {
				t.Errorf("%v hides nothing of %q", m, s)
			}
		}
	})
}
