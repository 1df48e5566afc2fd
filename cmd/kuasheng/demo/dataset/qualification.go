package dataset

import "time"

// qualifications is the table of vocational qualifications (职业资格和技能等级证书信息).
func qualifications() table {
	return table{
		topic: Qualification, name: "qualification", subjects: (*world).countPeople, rows: qualificationRows, indexes: []string{"id_number"},
		columns: []string{
			"certificate_no TEXT NOT NULL",  // 证书编号
			"id_number TEXT NOT NULL",       // 公民身份号码
			"name TEXT NOT NULL",            // 姓名
			"occupation_code TEXT NOT NULL", // 职业编码
			"occupation TEXT NOT NULL",      // 职业名称
			"level TEXT NOT NULL",           // 技能等级
			"theory_score REAL",             // 理论知识成绩
			"practice_score REAL",           // 操作技能成绩
			"issuer TEXT NOT NULL",          // 评价机构
			"issued_on TEXT NOT NULL",       // 发证日期
			"valid_to TEXT",                 // 有效期至
			"revoked INTEGER NOT NULL",      // 是否注销
			"registered_at TEXT NOT NULL",   // 登记时间
		},
	}
}

// occupation is an occupation with its code of the national classification.
type occupation struct{ code, name string }

var occupations = [...]occupation{
	{"6-31-01-03", "电工"}, {"6-18-02-04", "焊工"}, {"4-03-02-01", "中式烹调师"}, {"4-14-01-02", "育婴员"},
	{"4-10-01-05", "养老护理员"}, {"6-18-01-01", "车工"}, {"4-12-01-01", "汽车维修工"}, {"4-04-05-05", "人工智能训练师"},
}

var levels = [...]string{"五级/初级工", "四级/中级工", "三级/高级工", "二级/技师", "一级/高级技师"}

func qualificationRows(w *world, d dice, i int) []row {
	p := w.people[i]
	count := d.between(1, 2)
	if i >= notable && !d.chance(25) {
		return nil
	}
	var rows []row
	for range count {
		o := pick(d, occupations[:])
		level := min(d.IntN(len(levels)), d.IntN(len(levels)))
		issued := d.day(later(p.born().AddDate(18, 0, 0), date(2008, time.March, 1)), today)
		var validTo any
		if o.name == "焊工" || o.name == "电工" {
			validTo = day(issued.AddDate(6, 0, -1)) // special work must be examined again
		}
		// Scores come in halves. Old certificates were taken over from paper, which did not state them.
		var theory, practice any
		if issued.Year() >= 2012 {
			theory, practice = float64(d.between(120, 200))/2, float64(d.between(120, 200))/2
		}
		rows = append(rows, row{
			"Y" + p.county.code + issued.Format("06") + d.digits(9), p.id, p.name, o.code, o.name, levels[level], theory, practice,
			p.county.city + "职业技能鉴定中心", day(issued), validTo, truth(i >= notable && d.chance(1)), moment(d, issued),
		})
	}
	return rows
}
