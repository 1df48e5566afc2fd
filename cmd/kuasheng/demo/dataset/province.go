package dataset

import (
	"slices"
	"strings"

	"github.com/kuasheng/kuasheng/internal/ident"
)

// province is what the demo knows about a real province: places and which departments join the exchange.
type province struct {
	region   ident.Region
	short    string // the one-character name on documents, as in 豫
	capital  string
	counties []county
	nations  []nation // besides 汉族
	schools  []school
	topics   []Topic
	denied   string // SPIFFE ID of an application that the province shuts out
	masks    []fieldMask
}

// county is a county-level division with its GB/T 2260 code.
type county struct{ code, city, name string }

// office names a county's authority: districts are named after their city, counties and county-level cities are not.
func (c county) office(kind string) string {
	if strings.HasSuffix(c.name, "区") {
		return c.city + c.name + kind
	}
	return c.name + kind
}

// nation is a nationality with its GB/T 3304 code.
type nation struct{ code, name string }

// school is a university with its five-digit code.
type school struct{ code, name string }

// suffix completes the short Chinese name of the demo's provinces.
const suffix = "省"

func (p province) name() string { return p.region.Chinese + suffix }

// provinceOf finds the province of a region.
func provinceOf(region ident.Region) (province, bool) {
	for _, p := range []province{henan(), zhejiang(), guangdong()} {
		if p.region == region {
			return p, true
		}
	}
	return province{}, false
}

// tables returns the tables behind the topics that the province offers.
func (p province) tables() []table {
	return slices.DeleteFunc(tables(), func(t table) bool { return !slices.Contains(p.topics, t.topic) })
}

// tablesOf returns the tables that one source holds.
func (p province) tablesOf(s Source) []table {
	return slices.DeleteFunc(p.tables(), func(t table) bool { return t.topic.source() != s })
}

// sources returns the databases of the province in the order of its topics.
func (p province) sources() []Source {
	var list []Source
	for _, topic := range p.topics {
		if s := topic.source(); !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

func region(code string) ident.Region {
	r, _ := ident.LookupRegion(code)
	return r
}

func henan() province {
	return province{
		region: region("410000"), short: "豫", capital: "郑州市",
		counties: []county{
			{"410102", "郑州市", "中原区"}, {"410103", "郑州市", "二七区"}, {"410105", "郑州市", "金水区"},
			{"410122", "郑州市", "中牟县"}, {"410184", "郑州市", "新郑市"}, {"410204", "开封市", "鼓楼区"},
			{"410303", "洛阳市", "西工区"}, {"410311", "洛阳市", "洛龙区"}, {"410702", "新乡市", "红旗区"},
			{"411302", "南阳市", "宛城区"}, {"411303", "南阳市", "卧龙区"}, {"411522", "信阳市", "光山县"},
		},
		nations: []nation{{"03", "回族"}, {"02", "蒙古族"}, {"11", "满族"}},
		schools: []school{{"10459", "郑州大学"}, {"10475", "河南大学"}, {"10466", "河南农业大学"}},
		topics:  []Topic{Housing, Insurance, Household, Marriage, Qualification},
		denied:  "spiffe://zhejiang.example/app/bulk-mailer",
		masks:   []fieldMask{{Household, "address", ident.MaskAddress}, {Marriage, "remark", ident.MaskRedact}},
	}
}

func zhejiang() province {
	return province{
		region: region("330000"), short: "浙", capital: "杭州市",
		counties: []county{
			{"330102", "杭州市", "上城区"}, {"330106", "杭州市", "西湖区"}, {"330108", "杭州市", "滨江区"},
			{"330109", "杭州市", "萧山区"}, {"330127", "杭州市", "淳安县"}, {"330203", "宁波市", "海曙区"},
			{"330212", "宁波市", "鄞州区"}, {"330281", "宁波市", "余姚市"}, {"330302", "温州市", "鹿城区"},
			{"330381", "温州市", "瑞安市"}, {"330602", "绍兴市", "越城区"}, {"330782", "金华市", "义乌市"},
		},
		nations: []nation{{"22", "畲族"}, {"03", "回族"}, {"15", "土家族"}},
		schools: []school{{"10335", "浙江大学"}, {"10337", "浙江工业大学"}, {"11646", "宁波大学"}},
		topics:  []Topic{Housing, Insurance, RealEstate, Degree, Registration},
		denied:  "spiffe://guangdong.example/app/bulk-mailer",
		masks:   []fieldMask{{RealEstate, "location", ident.MaskAddress}},
	}
}

func guangdong() province {
	return province{
		region: region("440000"), short: "粤", capital: "广州市",
		counties: []county{
			{"440103", "广州市", "荔湾区"}, {"440104", "广州市", "越秀区"}, {"440106", "广州市", "天河区"},
			{"440113", "广州市", "番禺区"}, {"440303", "深圳市", "罗湖区"}, {"440304", "深圳市", "福田区"},
			{"440305", "深圳市", "南山区"}, {"440402", "珠海市", "香洲区"}, {"440605", "佛山市", "南海区"},
			{"440606", "佛山市", "顺德区"}, {"441302", "惠州市", "惠城区"}, {"441322", "惠州市", "博罗县"},
		},
		nations: []nation{{"08", "壮族"}, {"13", "瑶族"}, {"15", "土家族"}},
		schools: []school{{"10558", "中山大学"}, {"10561", "华南理工大学"}, {"10590", "深圳大学"}},
		topics:  []Topic{Insurance, Marriage, Licence, Registration, Change},
		denied:  "spiffe://henan.example/app/bulk-mailer",
		masks:   []fieldMask{{Marriage, "remark", ident.MaskRedact}, {Insurance, "name", ident.MaskName}},
	}
}
