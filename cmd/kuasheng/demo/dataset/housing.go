package dataset

// deposits is the table of housing provident fund accounts (住房公积金缴存信息).
func deposits() table {
	return table{
		topic: Housing, name: "deposit", subjects: (*world).countPeople, rows: depositRows, indexes: []string{"id_number"},
		columns: []string{
			"account_no TEXT NOT NULL",      // 个人账号
			"id_number TEXT NOT NULL",       // 公民身份号码
			"name TEXT NOT NULL",            // 姓名
			"unit_account_no TEXT NOT NULL", // 单位账号
			"unit_name TEXT NOT NULL",       // 单位名称
			"unit_uscc TEXT NOT NULL",       // 单位统一社会信用代码
			"centre TEXT NOT NULL",          // 管理中心
			"opened_on TEXT NOT NULL",       // 开户日期
			"base TEXT NOT NULL",            // 缴存基数
			"rate_unit TEXT NOT NULL",       // 单位缴存比例
			"rate_person TEXT NOT NULL",     // 个人缴存比例
			"monthly_deposit TEXT NOT NULL", // 月缴存额
			"balance TEXT NOT NULL",         // 账户余额
			"frozen TEXT",                   // 冻结金额
			"status TEXT NOT NULL",          // 账户状态
			"first_month TEXT NOT NULL",     // 首次汇缴月份
			"last_month TEXT NOT NULL",      // 最近汇缴月份
			"months INTEGER NOT NULL",       // 累计缴存月数
			"has_loan INTEGER NOT NULL",     // 是否有未结清贷款
			"last_entry_no INTEGER NOT NULL",
			"updated_at TEXT NOT NULL",
		},
	}
}

func depositRows(w *world, d dice, i int) []row {
	p := w.people[i]
	employer, ok := w.employer(p)
	if !ok {
		return nil
	}
	first := firstOfNextMonth(p.hired)
	last, status := latest, "正常"
	if i >= notable && d.chance(12) {
		last, status = d.month(first, latest), "封存"
	}
	months := monthsBetween(first, last) + 1
	// Both sides pay the same share; the law lets it be 5 to 12 percent. Halves of a fen are rounded up, as the centres do.
	rate := int64(employer.employeeFee)
	half := (p.salary*rate + 50) / 100
	// Salaries grew and flats were bought: between a tenth and the whole of what was paid in at today's rate is left.
	balance := half*2*int64(months)*int64(d.between(10, 100))/100 + int64(d.between(0, 99))
	var frozen any
	if i >= notable && d.chance(1) {
		frozen = money(balance / 2)
	}
	return []row{{
		employer.county.code[:4] + d.digits(8), p.id, p.name, employer.county.code[:4] + employer.registryNo[6:], employer.name, employer.uscc,
		employer.county.city + "住房公积金管理中心", day(p.hired), money(p.salary), money(rate * 100), money(rate * 100), money(half * 2), money(balance),
		frozen, status, day(first), day(last), months, truth(d.chance(22)), serial(d, last), moment(d, last.AddDate(0, 0, d.between(0, 27))),
	}}
}
