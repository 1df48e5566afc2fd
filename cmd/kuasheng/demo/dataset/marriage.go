package dataset

import (
	"fmt"
	"time"

	"github.com/kuasheng/kuasheng/internal/ident"
)

// marriages is the table of marriage registration (婚姻登记信息): a row for each marriage and one for each divorce.
func marriages() table {
	return table{
		topic: Marriage, name: "marriage", subjects: (*world).countPeople, rows: marriageRows, indexes: []string{"man_id_number", "woman_id_number"},
		columns: []string{
			"registration_no TEXT NOT NULL", // 登记证字号
			"kind TEXT NOT NULL",            // 登记类别
			"man_name TEXT NOT NULL",        // 男方姓名
			"man_id_number TEXT NOT NULL",   // 男方公民身份号码
			"man_nationality TEXT NOT NULL",
			"woman_name TEXT NOT NULL",      // 女方姓名
			"woman_id_number TEXT NOT NULL", // 女方公民身份号码
			"woman_nationality TEXT NOT NULL",
			"registered_on TEXT NOT NULL", // 登记日期
			"office_code TEXT NOT NULL",   // 登记机关代码
			"office TEXT NOT NULL",        // 登记机关
			"print_no INTEGER NOT NULL",   // 证书印制号
			"reissued INTEGER NOT NULL",   // 是否补领
			"revoked_on TEXT",             // 撤销日期
			"remark TEXT",                 // 备注
			"updated_at TEXT NOT NULL",    // 更新时间
		},
	}
}

// computerised is when the offices' paper registers were taken over.
var computerised = date(2003, time.October, 8)

func marriageRows(w *world, d dice, i int) []row {
	p := w.people[i]
	if p.spouse < i { // nobody's, or written with the other half
		return nil
	}
	man, woman := p, w.people[p.spouse]
	if man.sex == ident.Female {
		man, woman = woman, man
	}
	record := func(letter, kind string, on time.Time, remark any) row {
		return row{
			fmt.Sprintf("%s%s-%d-%06d", letter, p.county.code, on.Year(), d.between(1, 999_999)), kind,
			man.name, man.id, "中国", woman.name, woman.id, "中国", day(on), p.county.code, p.county.office("民政局婚姻登记处"),
			serial(d, on), truth(d.chance(4)), nil, remark, moment(d, later(on, computerised)),
		}
	}
	rows := []row{record("J", "结婚登记", p.wedding, nil)}
	if !p.divorce.IsZero() {
		rows = append(rows, record("L", "离婚登记", p.divorce, "自愿离婚"))
	}
	return rows
}
