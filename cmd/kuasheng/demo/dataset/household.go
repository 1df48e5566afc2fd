package dataset

import (
	"strings"
	"time"

	"github.com/kuasheng/kuasheng/internal/ident"
)

// residents is the table of household registration (户籍人口信息): everybody is in it.
func residents() table {
	return table{
		topic: Household, name: "resident", subjects: (*world).countPeople, rows: residentRows, indexes: []string{"id_number", "household_no"},
		columns: []string{
			"id_number TEXT NOT NULL",      // 公民身份号码
			"name TEXT NOT NULL",           // 姓名
			"former_name TEXT",             // 曾用名
			"sex_code TEXT NOT NULL",       // 性别代码
			"nation TEXT NOT NULL",         // 民族
			"birth_date TEXT NOT NULL",     // 出生日期
			"native_place TEXT NOT NULL",   // 籍贯
			"household_no TEXT NOT NULL",   // 户号
			"household_type TEXT NOT NULL", // 户类型
			"head_name TEXT NOT NULL",      // 户主姓名
			"head_id_number TEXT NOT NULL", // 户主公民身份号码
			"relation_code TEXT NOT NULL",  // 与户主关系代码
			"relation TEXT NOT NULL",       // 与户主关系
			"address TEXT NOT NULL",        // 户籍地址
			"police_station TEXT NOT NULL", // 所属派出所
			"marital_code TEXT NOT NULL",   // 婚姻状况代码
			"marital TEXT NOT NULL",        // 婚姻状况
			"education TEXT NOT NULL",      // 文化程度
			"phone TEXT",                   // 联系电话
			"registered_on TEXT NOT NULL",  // 登记日期
			"moved_in_from TEXT",           // 何地迁入
			"moved_in_on TEXT",             // 迁入日期
			"cancelled INTEGER NOT NULL",   // 是否注销
			"updated_at TEXT NOT NULL",     // 更新时间
		},
	}
}

// police names the authority that keeps a county's registers: in districts it is a branch of the city's.
func (c county) police() string {
	if district, ok := strings.CutSuffix(c.name, "区"); ok {
		return c.city + "公安局" + district + "分局"
	}
	return c.name + "公安局"
}

func residentRows(w *world, d dice, i int) []row {
	p := w.people[i]
	head := w.people[p.head]
	var former, phone, from, movedOn any
	if d.chance(2) {
		former = string([]rune(p.name)[:1]) + string(pick(d, []rune(male)))
	}
	if d.chance(90) {
		phone = p.phone
	}
	registered := p.born().AddDate(0, 0, d.between(1, 30))
	if d.chance(15) {
		other := pick(d, w.province.counties)
		moved := d.day(later(p.born(), date(1990, time.January, 1)), today)
		from, movedOn = w.province.name()+other.city+other.name, day(moved)
		registered = moved
	}
	kind := "家庭户"
	if i >= notable && d.chance(5) {
		kind = "集体户"
	}
	code, marital := p.marital()
	sex := "1"
	if p.sex == ident.Female {
		sex = "2"
	}
	return []row{{
		p.id, p.name, former, sex, p.nation.name, day(p.birth), w.province.name() + p.county.city, p.household, kind, head.name, head.id,
		p.relation.code, p.relation.name, p.address, p.county.police(), code, marital, p.education.name,
		phone, day(registered), from, movedOn, truth(i >= notable && d.chance(1)), moment(d, d.day(date(2020, time.January, 2), today)),
	}}
}
