package dataset

import "time"

// degrees is the table of academic records and degrees (学历学位信息).
func degrees() table {
	return table{
		topic: Degree, name: "degree", subjects: (*world).countPeople, rows: degreeRows, indexes: []string{"id_number"},
		columns: []string{
			"id_number TEXT NOT NULL",    // 公民身份号码
			"name TEXT NOT NULL",         // 姓名
			"school_code TEXT NOT NULL",  // 院校代码
			"school TEXT NOT NULL",       // 院校名称
			"major TEXT NOT NULL",        // 专业名称
			"level TEXT NOT NULL",        // 学历层次
			"form TEXT NOT NULL",         // 学习形式
			"enrolled_on TEXT NOT NULL",  // 入学日期
			"graduated_on TEXT",          // 毕业日期
			"conclusion TEXT",            // 毕（结）业结论
			"certificate_no TEXT",        // 学历证书编号
			"degree TEXT",                // 学位名称
			"degree_on TEXT",             // 学位授予日期
			"degree_certificate_no TEXT", // 学位证书编号
			"credits TEXT NOT NULL",      // 获得学分
			"grade_average REAL",         // 平均学分绩点
			"updated_at TEXT NOT NULL",   // 更新时间
		},
	}
}

// major is a course of study with the degree it ends in.
type major struct{ name, field string }

var majors = [...]major{
	{"计算机科学与技术", "工学"}, {"土木工程", "工学"}, {"临床医学", "医学"}, {"汉语言文学", "文学"}, {"会计学", "管理学"},
	{"法学", "法学"}, {"国际经济与贸易", "经济学"}, {"农学", "农学"}, {"应用化学", "理学"}, {"机械设计制造及其自动化", "工学"},
}

func degreeRows(w *world, d dice, i int) []row {
	p := w.people[i]
	if i >= notable && !p.education.university() {
		return nil
	}
	rows := []row{degreeRow(w, d, p, "本科", "学士", p.born().Year()+18, 4, i < notable)}
	if p.education == grades[0] {
		rows = append(rows, degreeRow(w, d, p, "硕士研究生", "硕士", p.born().Year()+22, 3, i < notable))
	}
	return rows
}

func degreeRow(w *world, d dice, p person, level, title string, year, years int, succeeds bool) row {
	s, m := pick(d, w.province.schools), pick(d, majors[:])
	enrolled := date(year, time.September, 1)
	graduated := date(year+years, time.June, 30)
	var finished, conclusion, certificate, degree, degreeOn, degreeNo, average any
	finished, conclusion = day(graduated), "毕业"
	if !succeeds && d.chance(3) {
		conclusion = "结业"
	}
	if graduated.Year() >= 2001 { // electronic registration began that year, and with it the uniform numbers
		certificate = s.code + "1" + graduated.Format("2006") + "05" + d.digits(6)
	}
	if conclusion == "毕业" && (succeeds || d.chance(96)) {
		degree, degreeOn = m.field+title, day(graduated)
		degreeNo = s.code + "4" + graduated.Format("2006") + d.digits(6)
	}
	if graduated.Year() >= 1998 {
		average = float64(d.between(200, 400)) / 100
	}
	return row{
		p.id, p.name, s.code, s.name, m.name, level, pick(d, []string{"普通全日制", "普通全日制", "普通全日制", "非全日制"}), day(enrolled),
		finished, conclusion, certificate, degree, degreeOn, degreeNo, fixed(int64(d.between(280, 360))*5, 1), average,
		moment(d, d.day(later(graduated, date(2015, time.March, 2)), today)),
	}
}
