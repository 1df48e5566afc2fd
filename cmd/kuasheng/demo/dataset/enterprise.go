package dataset

import (
	"fmt"
	"time"
)

// enterprise is what several departments know about an enterprise.
type enterprise struct {
	uscc, name  string
	county      county
	address     string
	industry    industry
	kind        kind
	legal       int // index of its legal representative
	capital     int64
	founded     time.Time
	status      status
	closed      time.Time // zero while in business
	staff       int
	registryNo  string
	employeeFee int // employer's share of the housing fund in percent
}

// industry is a line of business with its GB/T 4754 code.
type industry struct{ code, name, noun, scope string }

// kind is a legal form with its registration code.
type kind struct{ code, name, ending string }

// status is a state of registration with its code.
type status struct{ code, name string }

var (
	inBusiness = status{"1", "存续（在营、开业、在册）"}
	revoked    = status{"2", "吊销"}
	cancelled  = status{"3", "注销"}
)

var industries = [...]industry{
	{"I6513", "应用软件开发", "软件", "软件开发；软件销售；信息技术咨询服务；数据处理服务。"},
	{"F5161", "煤炭及制品批发", "能源", "煤炭及制品销售；普通货物仓储服务；国内贸易代理。"},
	{"C1432", "速冻食品制造", "食品", "食品生产；食品销售；道路货物运输（依法须经批准的项目，经批准后方可开展经营活动）。"},
	{"E4710", "住宅房屋建筑", "建筑", "房屋建筑工程施工；土石方工程施工；建筑材料销售；机械设备租赁。"},
	{"G5431", "普通货物道路运输", "物流", "道路货物运输；国内货物运输代理；装卸搬运；普通货物仓储服务。"},
	{"C3611", "汽柴油车整车制造", "汽车", "汽车零部件及配件制造；汽车零配件批发；货物进出口。"},
	{"A0111", "稻谷种植", "农业", "谷物种植；蔬菜种植；农副产品销售；农业技术推广服务。"},
	{"L7221", "企业总部管理", "管理咨询", "企业管理咨询；会议及展览服务；市场调查。"},
	{"C1811", "运动机织服装制造", "服饰", "服装制造；服装服饰批发；纺织品销售；货物进出口。"},
	{"F5281", "五金零售", "五金", "五金产品零售；五金产品批发；建筑装饰材料销售。"},
	{"M7320", "工程和技术研究和试验发展", "科技", "工程和技术研究和试验发展；技术服务、技术开发、技术咨询、技术转让。"},
	{"H6210", "正餐服务", "餐饮", "餐饮服务；食品销售；外卖递送服务。"},
}

var kinds = [...]kind{
	{"1130", "有限责任公司（自然人独资）", "有限公司"},
	{"1190", "有限责任公司（自然人投资或控股）", "有限公司"},
	{"1223", "股份有限公司（非上市、自然人投资或控股）", "股份有限公司"},
}

// register makes the enterprises of a province.
type register struct {
	dice
	province    province
	people      int
	enterprises []enterprise
	names       map[string]bool
}

// open adds an enterprise. Its code counts up: the serial is written in the last six characters of the organisation code.
func (r *register) open(legal int) {
	e := enterprise{
		county: pick(r.dice, r.province.counties), industry: pick(r.dice, industries[:]), kind: pick(r.dice, kinds[:]),
		legal: legal, founded: r.day(date(1998, time.January, 4), date(2025, time.December, 30)),
		status: inBusiness, staff: r.staff(), employeeFee: r.between(5, 12),
	}
	e.uscc = completeUSCC("91" + e.county.code + fmt.Sprintf("YY%06d", len(r.enterprises)+1))
	e.name = r.name(e)
	e.address = address(r.dice, r.province, e.county)
	e.registryNo = e.county.code + r.digits(9)
	// In fen, whole ten thousands of yuan: what people write into articles of association.
	e.capital = int64(pick(r.dice, []int{10, 50, 100, 200, 500, 1000, 2000, 5000, 12000})) * 10_000 * 100
	if r.chance(5) {
		// Foreign capital converted at the rate of the day leaves fen.
		e.capital += int64(r.between(1, 999_999))
	}
	switch n := r.between(1, 100); {
	case len(r.enterprises) < notable:
	case n <= 3:
		e.status, e.closed = revoked, r.day(e.founded.AddDate(1, 0, 0), today)
	case n <= 12:
		e.status, e.closed = cancelled, r.day(e.founded.AddDate(1, 0, 0), today)
	}
	if e.closed.After(today) {
		e.status, e.closed = inBusiness, time.Time{}
	}
	r.enterprises = append(r.enterprises, e)
}

// staff gives most enterprises a few people and some a lot.
func (r *register) staff() int {
	if r.chance(10) {
		return r.between(100, 5000)
	}
	return r.between(1, 60)
}

// name makes a name that no other enterprise of the province has, as the law demands. There are millions, so that a free
// one is soon found for each of maxEnterprises.
func (r *register) name(e enterprise) string {
	syllables := []rune(brands)
	for {
		brand := string([]rune{pick(r.dice, syllables), pick(r.dice, syllables)})
		if r.chance(40) {
			brand += string(pick(r.dice, syllables))
		}
		name := e.county.city[:len(e.county.city)-len("市")] + brand + e.industry.noun + e.kind.ending
		if !r.names[name] {
			r.names[name] = true
			return name
		}
	}
}
