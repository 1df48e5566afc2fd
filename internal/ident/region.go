package ident

import (
	"slices"
	"strings"
)

// RegionVersion names the edition of the region table. Codes change over time; whoever stores something derived from the
// table stores this beside it.
const RegionVersion = "GB/T 2260-2007+XPCC"

// Region is a province-level region: a possible member of the exchange.
type Region struct {
	// Code is the region's two digits followed by 0000, as in "410000".
	Code string
	// Letter is the two-letter code of GB/T 2260, as in "HA", or "XPCC".
	Letter string
	// Chinese is the short Chinese name, as in "河南".
	Chinese string
	// English is the romanised name, as in "Henan".
	English string
}

// String returns the region's code.
func (r Region) String() string { return r.Code }

// regions stands in the order of codes. 66 for the Xinjiang Production and Construction Corps is a convention of the
// national platform and not in GB/T 2260.
var regions = [...]Region{
	{"110000", "BJ", "北京", "Beijing"},
	{"120000", "TJ", "天津", "Tianjin"},
	{"130000", "HE", "河北", "Hebei"},
	{"140000", "SX", "山西", "Shanxi"},
	{"150000", "NM", "内蒙古", "Inner Mongolia"},
	{"210000", "LN", "辽宁", "Liaoning"},
	{"220000", "JL", "吉林", "Jilin"},
	{"230000", "HL", "黑龙江", "Heilongjiang"},
	{"310000", "SH", "上海", "Shanghai"},
	{"320000", "JS", "江苏", "Jiangsu"},
	{"330000", "ZJ", "浙江", "Zhejiang"},
	{"340000", "AH", "安徽", "Anhui"},
	{"350000", "FJ", "福建", "Fujian"},
	{"360000", "JX", "江西", "Jiangxi"},
	{"370000", "SD", "山东", "Shandong"},
	{"410000", "HA", "河南", "Henan"},
	{"420000", "HB", "湖北", "Hubei"},
	{"430000", "HN", "湖南", "Hunan"},
	{"440000", "GD", "广东", "Guangdong"},
	{"450000", "GX", "广西", "Guangxi"},
	{"460000", "HI", "海南", "Hainan"},
	{"500000", "CQ", "重庆", "Chongqing"},
	{"510000", "SC", "四川", "Sichuan"},
	{"520000", "GZ", "贵州", "Guizhou"},
	{"530000", "YN", "云南", "Yunnan"},
	{"540000", "XZ", "西藏", "Xizang"},
	{"610000", "SN", "陕西", "Shaanxi"},
	{"620000", "GS", "甘肃", "Gansu"},
	{"630000", "QH", "青海", "Qinghai"},
	{"640000", "NX", "宁夏", "Ningxia"},
	{"650000", "XJ", "新疆", "Xinjiang"},
	{"660000", "XPCC", "兵团", "XPCC"},
	{"710000", "TW", "台湾", "Taiwan"},
	{"810000", "HK", "香港", "Hong Kong"},
	{"820000", "MO", "澳门", "Macao"},
}

// Regions returns all regions in the order of their codes.
func Regions() []Region { return slices.Clone(regions[:]) }

// LookupRegion finds a region by its full code, as in "410000".
func LookupRegion(code string) (Region, bool) {
	if len(code) != 6 || code[2:] != "0000" {
		return Region{}, false
	}
	return regionOf(code[:2])
}

// regionOf finds a region by its first two digits.
func regionOf(prefix string) (Region, bool) {
	i, found := slices.BinarySearchFunc(regions[:], prefix, func(r Region, prefix string) int {
		return strings.Compare(r.Code[:2], prefix)
	})
	if !found {
		return Region{}, false
	}
	return regions[i], true
}
