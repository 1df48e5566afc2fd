package dataset

// contributions is the table of social insurance (社会保险参保缴费信息), a row for each month. Departments keep decades; two
// years are enough to show paging, periods and rows by the ten thousand.
func contributions() table {
	return table{
		topic: Insurance, name: "contribution", subjects: (*world).countPeople, rows: contributionRows, indexes: []string{"id_number"},
		columns: []string{
			"id_number TEXT NOT NULL",          // 公民身份号码
			"name TEXT NOT NULL",               // 姓名
			"insurance_no TEXT NOT NULL",       // 个人编号
			"unit_name TEXT",                   // 单位名称
			"unit_uscc TEXT",                   // 单位统一社会信用代码
			"region_code TEXT NOT NULL",        // 参保地
			"kind TEXT NOT NULL",               // 参保类型
			"month TEXT NOT NULL",              // 费款所属期
			"base TEXT NOT NULL",               // 缴费基数
			"pension_person TEXT NOT NULL",     // 养老保险个人缴费
			"pension_unit TEXT NOT NULL",       // 养老保险单位缴费
			"medical_person TEXT NOT NULL",     // 医疗保险个人缴费
			"medical_unit TEXT NOT NULL",       // 医疗保险单位缴费
			"unemployment_total TEXT NOT NULL", // 失业保险缴费
			"injury_insured INTEGER NOT NULL",  // 是否参加工伤保险
			"paid_at TEXT",                     // 到账时间
			"entry_no INTEGER NOT NULL",        // 缴费流水号
		},
	}
}

const insuredMonths = 24

func contributionRows(w *world, d dice, i int) []row {
	p := w.people[i]
	employer, employed := w.employer(p)
	if !employed && (p.age() > 60 || !d.chance(30)) {
		return nil
	}
	kind, at := "灵活就业", p.county
	var unit, uscc any
	if employed {
		kind, at, unit, uscc = "职工", employer.county, employer.name, employer.uscc
	}
	count := d.between(3, 10)
	if i < notable {
		count = insuredMonths
	}
	if employed {
		count = min(count, monthsBetween(p.hired, latest)+1)
	}
	// Rates in percent of the base; who works for himself pays both sides of the pension and no unemployment insurance.
	pensionUnit, medicalUnit, unemployment := int64(16), int64(8), int64(1)
	pensionPerson, medicalPerson := int64(8), int64(2)
	if !employed {
		pensionPerson, pensionUnit, medicalPerson, medicalUnit, unemployment = 20, 0, 8, 0, 0
	}
	share := func(percent int64) string { return money((p.salary*percent + 50) / 100) }
	number := at.code[:4] + d.digits(10)
	var rows []row
	for n := count - 1; n >= 0; n-- {
		month := latest.AddDate(0, -n, 0)
		var paid any = moment(d, month.AddDate(0, 0, d.between(9, 24)))
		if n == 0 && i >= notable && d.chance(8) {
			paid = nil // charged, and not yet arrived
		}
		rows = append(rows, row{
			p.id, p.name, number, unit, uscc, at.code, kind, day(month), money(p.salary), share(pensionPerson), share(pensionUnit),
			share(medicalPerson), share(medicalUnit), share(unemployment), truth(employed), paid, serial(d, month),
		})
	}
	return rows
}
