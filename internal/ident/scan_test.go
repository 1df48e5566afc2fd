package ident

import (
	"strings"
	"testing"
	"unicode"
)

func TestContainsCitizenID(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{"alone", "440524188001010014", true},
		{"with X", "11010519491231002X", true},
		{"with small x", "11010519491231002x", true},
		{"in Chinese text", "为张三（440524188001010014）办理公积金提取", true},
		{"in a case number", "GJJ-2026-440524188001010014-01", true},
		{"between letters", "id440524188001010014id", true},
		{"full-width", "身份证号４４０５２４１８８００１０１００１４。", true},
		{"full-width X", "１１０１０５１９４９１２３１００２Ｘ", true},
		{"mixed widths", "1101０５19491231002ｘ", true},
		{"other digits", "٤٤٠٥٢٤١٨٨٠٠١٠١٠٠١٤", true},
		{"mathematical digits", "𝟒𝟒𝟎𝟓𝟐𝟒𝟏𝟖𝟖𝟎𝟎𝟏𝟎𝟏𝟎𝟎𝟏𝟒", true},
		{"spaced", "440524 18800101 0014", true},
		{"hyphens", "440524-18800101-0014", true},
		{"spaced hyphens", "440524 - 18800101 - 0014", true},
		{"invisible characters", "440524\u200b18800101\u200b0014", true},
		{"dots", "440524.1880.01.01.0014", true},
		{"broken over lines", "4405241880\r\n01010014", true},
		{"at the end of a longer run", "99999440524188001010014", true},
		{"at the start of a longer run", "4405241880010100149999999", true},
		{"after an X", "X440524188001010014", true},
		{"two numbers, second right", "440524188001010015,440524188001010014", true},
		{"after invalid UTF-8", "\xff440524188001010014", true},

		{"empty", "", false},
		{"wrong check", "440524188001010015", false},
		{"impossible date", "410100189002290034", false},
		{"fifteen digits", "440524800101001", false},
		{"cut short", "44052418800101001", false},
		{"longer run without one", "000000000000000000000000000000", false},
		{"USCC", "11410000MB0D00416U", false},
		{"resource code", "307510000001/000012", false},
		{"case number", "2026-410000-000000000123", false},
		{"letter inside", "440524188A001010014", false},
		{"X inside", "4405241880010X10014", false},
		{"far apart", "440524    18800101    0014", false},
		{"cause", "异地购房提取住房公积金，核验2026年1月至6月缴存记录", false},
	} {
		if got := ContainsCitizenID(c.text); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}

func TestContainsCitizenIDIsLinear(t *testing.T) {
	// Ten million digits take well under a second; anything quadratic would not end.
	if ContainsCitizenID(strings.Repeat("4405241880010100151", 500_000)) {
		t.Error("found a number in a repeated wrong one")
	}
}

func TestDecimalKnowsEveryScript(t *testing.T) {
	// Every block of ten digits counts up from zero.
	count := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.Is(unicode.Nd, r) {
			continue
		}
		if got := decimal(r); got != byte(count%10) {
			t.Fatalf("decimal(%U) = %d, want %d", r, got, count%10)
		}
		count++
	}
}

func FuzzContainsCitizenID(f *testing.F) {
	f.Add("案件", "-01", uint8(3))
	f.Add("", "x", uint8(0))
	f.Fuzz(func(t *testing.T, before, after string, n uint8) {
		ContainsCitizenID(before + after)
		// A letter keeps what the fuzzer invents from running into the number; digits are tested by the table.
		number := validCitizenIDs[int(n)%len(validCitizenIDs)]
		if !ContainsCitizenID(before + "号" + number + "，" + after) {
			t.Errorf("misses a number between %q and %q", before, after)
		}
	})
}
