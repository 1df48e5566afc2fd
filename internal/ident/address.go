package ident

import (
	"slices"
	"strings"
	"unicode"
)

// Longest parts of an address: 新疆维吾尔自治区 has 8 characters, 克孜勒苏柯尔克孜自治州 has 11, 双江拉祜族佤族布朗族傣族自治县
// has 15. What has not ended by then is no region.
const (
	maxProvince   = 9
	maxPrefecture = 12
	maxCounty     = 16
)

// maskAddress keeps an address down to its county, district or county-level city. The rule is cautious: where the end of
// the county cannot be told, only the prefecture is kept, and where that cannot be told, nothing. It reads names, not a
// list of counties, since counties are renamed every year.
func maskAddress(value string) string {
	// The head of an address is all that counts, so a long value costs no more than a short one.
	const head = (maxProvince + maxPrefecture + maxCounty) * 4
	if len(value) > head {
		value = strings.ToValidUTF8(value[:head], "")
	}
	runes := []rune(strings.TrimSpace(value))
	end := provinceEnd(runes)
	kept := end
	prefecture, county := divisionEnd(runes[end:], maxPrefecture, true)
	if county {
		return string(runes[:end+prefecture]) + redacted
	}
	if prefecture > 0 {
		end += prefecture
		kept = end
		if n, ok := divisionEnd(runes[end:], maxCounty, false); ok {
			kept = end + n
		}
	}
	if kept == 0 {
		return redacted
	}
	return string(runes[:kept]) + redacted
}

// provinceEnd returns the length of a leading province, 0 if the address begins below it.
func provinceEnd(runes []rune) int {
	for i := 1; i < min(len(runes), maxProvince); i++ {
		switch runes[i] {
		case '省':
			return i + 1
		case '区':
			if endsWith(runes[:i+1], "自治区") || endsWith(runes[:i+1], "特别行政区") {
				return i + 1
			}
			return 0
		case '市', '县', '州':
			if i > 1 || runes[i] != '州' { // 贵州省 has the character in its name
				return 0
			}
		}
	}
	return 0
}

// divisionEnd returns the length of the division that runes begin with, and whether it is a county; 0 if a street, a
// village or a number comes first. With upper set a 市 is a prefecture, otherwise a county-level city.
func divisionEnd(runes []rune, longest int, upper bool) (n int, county bool) {
	// A name has a character before its kind, and 路桥区, 镇海区 and 市辖区 begin with what ends others: hence from 1.
	for i := 1; i < min(len(runes), maxCounty); i++ {
		switch {
		case upper && i < longest && prefectureEnds(runes, i):
			return i + 1, false
		case !upper && cityEnds(runes, i), countyEnds(runes, i):
			return i + 1, true
		case streetBegins(runes, i):
			return 0, false
		}
	}
	return 0, false
}

func prefectureEnds(runes []rune, i int) bool {
	switch runes[i] {
	case '市':
		return cityEnds(runes, i)
	case '盟': // 兴安盟 and its like, not 同盟路
		return i >= 2
	case '州':
		return endsWith(runes[:i+1], "自治州")
	case '区':
		return endsWith(runes[:i+1], "地区")
	}
	return false
}

// cityEnds tells a city from 市场 (market), 市政 and 市民.
func cityEnds(runes []rune, i int) bool {
	return runes[i] == '市' && !nextIn(runes, i, "场政民")
}

// countyEnds tells counties, banners and districts (金水区, 浦东新区) from streets called after a flag and from the housing
// estates, neighbourhoods and parks that also end in 区.
func countyEnds(runes []rune, i int) bool {
	switch runes[i] {
	case '县':
		return true
	case '旗':
		return i >= 2 && !nextIn(runes, i, "区")
	case '区':
		return !slices.ContainsFunc(estates, func(kind string) bool { return endsWith(runes[:i+1], kind) })
	}
	return false
}

var estates = []string{
	"小区", "社区", "园区", "厂区", "校区", "院区", "片区", "库区", "景区", "街区", "工区",
	"住宅区", "家属区", "生活区", "工业区", "商业区", "别墅区",
}

// streetBegins reports whether what is finer than a county ends at i. Names such as 新乡县, 桐乡市, 东乡族自治县, 鼓楼区 and 道里区
// go on to a county.
func streetBegins(runes []rune, i int) bool {
	switch r := runes[i]; {
	case unicode.IsDigit(r), unicode.IsPunct(r):
		return true
	case r == '乡':
		return !nextIn(runes, i, "县区市族")
	default:
		return strings.ContainsRune("镇路街道村号巷弄里组栋楼室", r) && !nextIn(runes, i, "县区")
	}
}

// nextIn reports whether the rune after i is one of set.
func nextIn(runes []rune, i int, set string) bool {
	return i+1 < len(runes) && strings.ContainsRune(set, runes[i+1])
}

func endsWith(runes []rune, suffix string) bool {
	return strings.HasSuffix(string(runes), suffix)
}
