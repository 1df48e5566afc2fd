package dataset

import "time"

// registrations is the table of enterprises (市场主体登记信息), by USCC.
func registrations() table {
	return table{
		topic: Registration, name: "enterprise", subjects: (*world).countEnterprises, rows: registrationRows, indexes: []string{"uscc"},
		columns: []string{
			"uscc TEXT NOT NULL",            // 统一社会信用代码
			"registration_no TEXT NOT NULL", // 注册号
			"name TEXT NOT NULL",            // 市场主体名称
			"kind_code TEXT NOT NULL",       // 市场主体类型代码
			"kind TEXT NOT NULL",            // 市场主体类型
			"legal_name TEXT NOT NULL",      // 法定代表人
			"legal_id_number TEXT NOT NULL", // 法定代表人公民身份号码
			"capital TEXT NOT NULL",         // 注册资本
			"currency TEXT NOT NULL",        // 币种
			"founded_on TEXT NOT NULL",      // 成立日期
			"term_from TEXT NOT NULL",       // 营业期限自
			"term_to TEXT",                  // 营业期限至, NULL for 长期
			"status_code TEXT NOT NULL",     // 登记状态代码
			"status TEXT NOT NULL",          // 登记状态
			"closed_on TEXT",                // 注销或吊销日期
			"industry_code TEXT NOT NULL",   // 行业代码
			"industry TEXT NOT NULL",        // 行业名称
			"scope TEXT NOT NULL",           // 经营范围
			"address TEXT NOT NULL",         // 住所
			"authority TEXT NOT NULL",       // 登记机关
			"approved_on TEXT NOT NULL",     // 核准日期
			"staff INTEGER",                 // 从业人数
			"abnormal INTEGER NOT NULL",     // 是否列入经营异常名录
			"revision INTEGER NOT NULL",     // 数据版本号
			"updated_at TEXT NOT NULL",      // 更新时间
		},
	}
}

func registrationRows(w *world, d dice, i int) []row {
	e := w.enterprises[i]
	legal := w.people[e.legal]
	var termTo, staff any
	if d.chance(40) {
		termTo = day(e.founded.AddDate(30, 0, -1))
	}
	if d.chance(90) {
		staff = e.staff
	}
	approved := d.day(e.founded, today)
	if !e.closed.IsZero() {
		approved = e.closed
	}
	return []row{{
		e.uscc, e.registryNo, e.name, e.kind.code, e.kind.name, legal.name, legal.id, money(e.capital), "人民币", day(e.founded), day(e.founded),
		termTo, e.status.code, e.status.name, dayOrNull(e.closed), e.industry.code, e.industry.name, e.industry.scope, e.address,
		e.county.office("市场监督管理局"), day(approved), staff, truth(i >= notable && d.chance(4)), serial(d, approved), moment(d, approved),
	}}
}

// changes is the table of changed registrations (市场主体变更信息), for taking over in bulk what a period brought.
func changes() table {
	return table{
		topic: Change, name: "enterprise_change", subjects: (*world).countEnterprises, rows: changeRows, indexes: []string{"changed_on"},
		columns: []string{
			"entry_no INTEGER NOT NULL",   // 变更流水号
			"uscc TEXT NOT NULL",          // 统一社会信用代码
			"name TEXT NOT NULL",          // 市场主体名称
			"item TEXT NOT NULL",          // 变更事项
			"content_before TEXT",         // 变更前内容
			"content_after TEXT NOT NULL", // 变更后内容
			"changed_on TEXT NOT NULL",    // 变更日期
			"authority TEXT NOT NULL",     // 登记机关
			"recorded_at TEXT NOT NULL",   // 记录时间
		},
	}
}

func changeRows(w *world, d dice, i int) []row {
	e := w.enterprises[i]
	until := today
	if !e.closed.IsZero() {
		until = e.closed
	}
	from := later(e.founded, date(2024, time.January, 2))
	if from.After(until) {
		return nil
	}
	var rows []row
	for range d.between(1, 8) {
		on := d.day(from, until)
		item, before, after := change(w, d, e)
		rows = append(rows, row{
			serial(d, on), e.uscc, e.name, item, before, after, day(on), e.county.office("市场监督管理局"), moment(d, on),
		})
	}
	return rows
}

// change makes up what was changed; some items had nothing before.
func change(w *world, d dice, e enterprise) (item string, before any, after string) {
	switch d.IntN(4) {
	case 0:
		return "住所变更", address(d, w.province, e.county), e.address
	case 1:
		return "注册资本变更", money(e.capital / int64(d.between(2, 5))), money(e.capital)
	case 2:
		return "法定代表人变更", w.people[d.IntN(len(w.people))].name, w.people[e.legal].name
	}
	return "联络员备案", nil, w.people[d.IntN(len(w.people))].name
}
