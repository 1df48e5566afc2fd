package dataset

import (
	"fmt"

	"github.com/kuasheng/kuasheng/internal/ident"
)

// Topic is what a resource is about. The same topic in two provinces is two resources with the same fields.
type Topic string

// The topics.
const (
	Housing       Topic = "housing"       // 住房公积金缴存
	Insurance     Topic = "insurance"     // 社会保险参保缴费, a row for each month
	Qualification Topic = "qualification" // 职业资格
	Household     Topic = "household"     // 户籍
	Licence       Topic = "licence"       // 机动车驾驶证
	Marriage      Topic = "marriage"      // 婚姻登记
	RealEstate    Topic = "realestate"    // 不动产登记
	Degree        Topic = "degree"        // 学位学历
	Registration  Topic = "registration"  // 市场主体登记, by USCC
	Change        Topic = "change"        // 市场主体变更, in bulk for a period
)

// Source is a department's database, by its name in the node's configuration.
type Source string

// department is a source's owner. Its number stands in the class codes of its resources and in its made-up USCC.
type department struct {
	source Source
	number int
	name   string // appended to the province's
}

var departments = [...]department{
	{"housing", 1, "住房和城乡建设厅"},
	{"labour", 2, "人力资源和社会保障厅"},
	{"police", 3, "公安厅"},
	{"civil", 4, "民政厅"},
	{"land", 5, "自然资源厅"},
	{"education", 6, "教育厅"},
	{"market", 7, "市场监督管理局"},
}

func (s Source) file() string { return string(s) + ".db" }

// entry places a topic in the catalogue.
type entry struct {
	topic      Topic
	department department
	class      string // the first three digits of its class code
	sequence   int
}

var entries = [...]entry{
	{Housing, departments[0], "307", 1},
	{Insurance, departments[1], "307", 1},
	{Qualification, departments[1], "307", 2},
	{Household, departments[2], "307", 1},
	{Licence, departments[2], "307", 2},
	{Marriage, departments[3], "307", 1},
	{RealEstate, departments[4], "307", 1},
	{Degree, departments[5], "307", 1},
	// Registration is legal-person base data (法人基础信息), which the law shares unconditionally.
	{Registration, departments[6], "102", 1},
	{Change, departments[6], "307", 1},
}

func (t Topic) entry() entry {
	for _, e := range entries {
		if e.topic == t {
			return e
		}
	}
	return entry{}
}

func (t Topic) source() Source { return t.entry().department.source }

// Topics returns what a province of the demo publishes, in the order of its configuration; nothing for another region.
func Topics(region ident.Region) []Topic {
	p, ok := provinceOf(region)
	if !ok {
		return nil
	}
	return p.topics
}

// Code returns the resource code of a topic in a province of the demo; false if the province does not publish it.
func Code(region ident.Region, topic Topic) (ident.ResourceCode, bool) {
	for _, offered := range Topics(region) {
		if offered == topic {
			e := topic.entry()
			code, err := ident.ParseResourceCode(fmt.Sprintf("%s%s%03d/%06d", e.class, region.Code, e.department.number, e.sequence))
			return code, err == nil
		}
	}
	return ident.ResourceCode{}, false
}

// uscc makes up the code of a province's department.
func (d department) uscc(region ident.Region) string {
	return completeUSCC("11" + region.Code + fmt.Sprintf("YY0D00%02d", d.number))
}

// completeUSCC appends the two check characters to the first 16 characters of a USCC.
func completeUSCC(first16 string) string {
	// The only error is a wrong character in this package's own tables, which the tests refuse.
	body, _ := ident.USCCBodyCheck(first16[8:])
	first17 := first16 + string(body)
	check, _ := ident.USCCCheck(first17)
	return first17 + string(check)
}
