package dataset

import (
	"fmt"
	"time"
)

// properties is the table of real estate registration (不动产登记信息): a row for each owner's share of a flat.
func properties() table {
	return table{
		topic: RealEstate, name: "property", subjects: (*world).countPeople, rows: propertyRows, indexes: []string{"owner_id_number", "unit_no"},
		columns: []string{
			"unit_no TEXT NOT NULL",           // 不动产单元号
			"certificate_no TEXT NOT NULL",    // 不动产权证号
			"owner_name TEXT NOT NULL",        // 权利人
			"owner_id_number TEXT NOT NULL",   // 权利人公民身份号码
			"ownership TEXT NOT NULL",         // 共有方式
			"share TEXT NOT NULL",             // 权利比例
			"right_type TEXT NOT NULL",        // 权利类型
			"usage TEXT NOT NULL",             // 规划用途
			"location TEXT NOT NULL",          // 坐落
			"floor_area TEXT NOT NULL",        // 建筑面积
			"inner_area TEXT",                 // 套内建筑面积
			"land_share TEXT NOT NULL",        // 分摊土地面积
			"price TEXT",                      // 交易价格
			"term_from TEXT NOT NULL",         // 土地使用权起始日期
			"term_to TEXT NOT NULL",           // 土地使用权终止日期
			"registered_at TEXT NOT NULL",     // 登簿时间
			"mortgaged INTEGER NOT NULL",      // 是否抵押
			"mortgage_amount TEXT",            // 被担保债权数额
			"seized INTEGER NOT NULL",         // 是否查封
			"transaction_no INTEGER NOT NULL", // 业务号
		},
	}
}

func propertyRows(w *world, d dice, i int) []row {
	p := w.people[i]
	if p.head != i || i >= notable && !d.chance(65) {
		// Couples own together, so the notable head's flat is the spouse's too.
		return nil
	}
	owners, ownership, share := []person{p}, "单独所有", "100.00"
	if p.spouse != none && p.divorce.IsZero() {
		owners, ownership, share = append(owners, w.people[p.spouse]), "共同共有", "50.00"
	}
	// Titles of this form are given out since the registers were united.
	registered := d.day(later(p.born().AddDate(25, 0, 0), date(2015, time.March, 1)), today)
	from := date(registered.Year()-d.between(0, 6), time.Month(d.between(1, 12)), 1)
	unit := fmt.Sprintf("%s%s%sGB%sF%s", p.county.code, "0"+d.digits(2), "0"+d.digits(2), "0"+d.digits(4), "000"+d.digits(5))
	certificate := fmt.Sprintf("%s（%d）%s不动产权第%s号", w.province.short, registered.Year(), p.county.city, "0"+d.digits(6))
	area := int64(d.between(3800, 24_000)) // in hundredths of a square metre
	var inner, price, debt any
	if d.chance(80) {
		inner = fixed(area*int64(d.between(72, 85))/100, 2)
	}
	if d.chance(88) {
		// To the fen: per square metre between 4,000 and 68,000 yuan.
		price = money(area * int64(d.between(400_000, 6_800_000)) / 100)
	}
	mortgaged := d.chance(35)
	if mortgaged {
		debt = fixed(int64(d.between(20, 600))*10_000*1_000_000, 6)
	}
	seized := truth(i >= notable && d.chance(1))
	at, number := moment(d, registered), serial(d, registered)
	land := fixed(int64(d.between(30_000, 400_000)), 4)
	var rows []row
	for _, owner := range owners {
		rows = append(rows, row{
			unit, certificate, owner.name, owner.id, ownership, share, "国有建设用地使用权/房屋（构筑物）所有权", "城镇住宅用地/住宅", p.address,
			fixed(area, 2), inner, land, price, day(from), day(from.AddDate(70, 0, -1)), at, truth(mortgaged), debt, seized, number,
		})
	}
	return rows
}
