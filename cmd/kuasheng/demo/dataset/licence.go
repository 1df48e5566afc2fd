package dataset

import "time"

// licences is the table of driving licences (机动车驾驶证信息).
func licences() table {
	return table{
		topic: Licence, name: "licence", subjects: (*world).countPeople, rows: licenceRows, indexes: []string{"id_number"},
		columns: []string{
			"id_number TEXT NOT NULL",   // 公民身份号码, which is the licence's number
			"name TEXT NOT NULL",        // 姓名
			"archive_no TEXT NOT NULL",  // 档案编号
			"class TEXT NOT NULL",       // 准驾车型
			"first_on TEXT NOT NULL",    // 初次领证日期
			"valid_from TEXT NOT NULL",  // 有效期始
			"valid_to TEXT",             // 有效期止, NULL for 长期
			"status_code TEXT NOT NULL", // 状态代码
			"status TEXT NOT NULL",      // 状态
			"points INTEGER NOT NULL",   // 累积记分
			"cleared_on TEXT NOT NULL",  // 记分清零日期
			"review_on TEXT",            // 下一体检日期
			"authority TEXT NOT NULL",   // 发证机关
			"phone TEXT",                // 联系电话
			"donor INTEGER",             // 是否器官捐献, NULL for not asked
			"updated_at TEXT NOT NULL",  // 更新时间
		},
	}
}

func licenceRows(w *world, d dice, i int) []row {
	p := w.people[i]
	if i >= notable && !d.chance(55) {
		return nil
	}
	first := d.day(later(p.born().AddDate(18, 0, 0), date(1992, time.May, 1)), date(2026, time.September, 30))
	class := pick(d, []string{"C1", "C1", "C1", "C1", "C2", "C2", "B2", "B1", "A2", "C1D"})
	// Six years, then ten, then for good.
	from, to := first, any(nil)
	switch years := today.Year() - first.Year(); {
	case years < 6:
		to = day(first.AddDate(6, 0, 0))
	case years < 16:
		from = first.AddDate(6, 0, 0)
		to = day(first.AddDate(16, 0, 0))
	default:
		from = first.AddDate(16, 0, 0)
	}
	code, status := "A", "正常"
	if i >= notable {
		switch n := d.between(1, 100); {
		case n <= 2:
			code, status = "B", "超分"
		case n <= 4:
			code, status = "G", "注销"
		case n <= 5:
			code, status = "E", "暂扣"
		}
	}
	points := max(0, d.between(-14, 11))
	if code == "B" {
		points = 12
	}
	var review, phone, donor any
	if class[0] == 'A' || class[0] == 'B' {
		review = day(date(2027, first.Month(), first.Day()))
	}
	if d.chance(93) {
		phone = p.phone
	}
	if d.chance(60) {
		donor = truth(d.chance(7))
	}
	// Points are cleared on the day of the first licence each year.
	cleared := date(today.Year(), first.Month(), first.Day())
	if cleared.After(today) {
		cleared = cleared.AddDate(-1, 0, 0)
	}
	return []row{{
		p.id, p.name, p.county.code[:4] + d.digits(8), class, day(first), day(from), to, code, status, points, day(cleared), review,
		w.province.name() + p.county.city + "公安局交通警察支队", phone, donor, moment(d, later(first, d.day(date(2024, time.January, 2), today))),
	}}
}
