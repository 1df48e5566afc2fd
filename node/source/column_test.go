package source

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/node/config"
)

func shanghai(t testing.TB) clock {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return newClock(zone)
}

func TestColumnWrites(t *testing.T) {
	c := shanghai(t)
	for _, test := range []struct {
		kind config.Type
		in   any
		want string // empty: it does not fit
	}{
		{"C", "a", `"a"`}, {"C", []byte("张"), `"张"`}, {"C", int64(-7), `"-7"`}, {"C", uint64(math.MaxUint64), ""}, {"C", uint64(7), `"7"`},
		{"C", json.Number("12"), `"12"`}, {"C", json.Number("1.0"), ""}, {"C", 1.5, ""}, {"C", true, ""}, {"C", time.Now(), ""}, {"C", "\xff", ""},
		{"C", "123456", `"123456"`}, {"C", "一二三四五六", `"一二三四五六"`}, {"C", "1234567", ""},
		{"M", "a\u2028b\x01\t\"\\</script>", `"a\u2028b\u0001\t\"\\</script>"`},
		{"G", binary{0xff, 0}, `"/wA="`}, {"G", "text", `"text"`},
		{"Y", "1234.5", `"1234.50"`}, {"Y", []byte("-0"), `"0.00"`}, {"Y", "+1.2300", `"1.23"`}, {"Y", "1.234", ""}, {"Y", "NaN", ""}, {"Y", "", ""}, {"Y", ".", ""},
		{"Y", "1,234.50", ""}, {"Y", int64(5), `"5.00"`}, {"Y", uint64(math.MaxUint64), `"18446744073709551615.00"`}, {"Y", json.Number("1.2e2"), `"120.00"`},
		{"Y", json.Number("125e-2"), `"1.25"`}, {"Y", "1e2000", ""}, {"Y", 1234.5, `"1234.50"`}, {"Y", 0.30000000000000004, ""}, {"Y", math.Inf(1), ""}, {"Y", math.NaN(), ""},
		{"Y", 99999999999.99, `"99999999999.99"`}, {"Y", 99999999999999.99, ""}, {"Y", float32(0.5), `"0.50"`}, {"Y", float32(16777216), ""}, {"Y", true, ""}, {"Y", nil, "null"},
		{"I", int64(math.MinInt64), `"-9223372036854775808"`}, {"I", uint64(1 << 63), ""}, {"I", "0012", `"12"`}, {"I", "1.0", ""}, {"I", 4.0, `"4"`}, {"I", 4.5, ""},
		{"I", 1e17, ""}, {"I", json.Number("9223372036854775807"), `"9223372036854775807"`}, {"I", json.Number("9223372036854775808"), ""}, {"I", false, ""},
		{"F", 1.5, "1.5"}, {"F", float32(0.1), "0.1"}, {"F", int64(3), "3"}, {"F", int64(1<<53 + 1), ""}, {"F", "1e400", ""}, {"F", "NaN", ""}, {"F", math.Inf(-1), ""},
		{"B", "2.5", "2.5"}, {"B", json.Number("1e-9"), "1e-09"}, {"F", true, ""},
		{"D", "1850-02-28", `"1850-02-28"`}, {"D", "18500228", `"1850-02-28"`}, {"D", "1850-02-28 00:00:00", `"1850-02-28"`}, {"D", "1850-02-30", ""},
		{"D", "0000-00-00", ""}, {"D", "1850-02-28 12:00:00", ""}, {"D", naive(time.Date(1850, 2, 28, 0, 0, 0, 0, time.UTC)), `"1850-02-28"`},
		{"D", naive(time.Date(1850, 2, 28, 1, 0, 0, 0, time.UTC)), ""}, {"D", day(time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)), ""}, {"D", int64(20240101), ""},
		{"D", time.Date(2024, 1, 1, 16, 0, 0, 0, time.UTC), `"2024-01-02"`},
		{"T", "2024-02-29T10:00:00Z", `"2024-02-29T18:00:00+08:00"`}, {"T", "2024-02-29 10:00:00.250", `"2024-02-29T10:00:00.25+08:00"`},
		{"T", "2024-02-29 10:00:00+08", `"2024-02-29T10:00:00+08:00"`}, {"T", "20240229100000", `"2024-02-29T10:00:00+08:00"`}, {"T", "2024-02-29", ""}, {"T", "2023-02-29 10:00:00", ""},
		{"T", "1893-05-01 10:00:00", `"1893-05-01T10:00:00+08:00"`}, // not local mean time, whose offset has seconds
		{"T", "1988-07-01 10:00:00", `"1988-07-01T10:00:00+09:00"`}, // daylight saving was in force
		{"T", standard("1988-07-01 10:00:00"), `"1988-07-01T11:00:00+09:00"`},
		{"T", naive(time.Date(2024, 2, 29, 10, 0, 0, 0, time.UTC)), `"2024-02-29T10:00:00+08:00"`}, {"T", day(time.Now()), ""}, {"T", "0000-00-00 00:00:00", ""},
		{"L", true, "true"}, {"L", int64(0), "false"}, {"L", int64(2), ""}, {"L", binary{1}, "true"}, {"L", []byte("N"), "false"}, {"L", "是", "true"}, {"L", "", ""}, {"L", 1.0, ""},
	} {
		col := newColumn(config.Field{Name: "secret_free", Type: test.kind, Length: 6, Scale: 2}, nil, c)
		if test.kind == "M" || test.kind == "G" {
			col.Length = 0
		}
		got, err := col.write(nil, test.in)
		switch {
		case test.want == "" && !errors.Is(err, ErrMapping):
			t.Errorf("%s of %T %v: got %s, %v, want it refused", test.kind, test.in, test.in, got, err)
		case test.want != "" && (err != nil || string(got) != test.want):
			t.Errorf("%s of %T %v: got %s, %v, want %s", test.kind, test.in, test.in, got, err, test.want)
		case test.want != "" && !json.Valid(got):
			t.Errorf("%s is not JSON", got)
		}
	}
}

func TestColumnMasksBothWays(t *testing.T) {
	f := config.Field{Name: "name", Type: config.TypeString, Mask: ident.MaskName}
	for masked, want := range map[string]string{"name": `"***"`, "other": `"张*"`} {
		policy := []config.FieldMask{{Field: masked, With: ident.MaskRedact}}
		got, err := newColumn(f, policy, shanghai(t)).write(nil, "张三")
		if err != nil || string(got) != want {
			t.Errorf("policy on %s: got %s, %v, want %s", masked, got, err, want)
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		in    string
		scale int
		want  string
	}{
		{"1234.50", -1, "1234.50"}, {"007", -1, "7"}, {"-.5", -1, "-0.5"}, {"5.", -1, "5"}, {"-0.00", -1, "0.00"}, {"12e3", -1, "12000"}, {"1.5e-3", -1, "0.0015"},
		{"1.5e1", 0, "15"}, {"1.5", 0, ""}, {" 1 ", 1, "1.0"}, {"1e", -1, ""}, {"--1", -1, ""}, {"0x1", -1, ""}, {"1_0", -1, ""}, {"", -1, ""}, {"e5", -1, ""},
		{strings.Repeat("9", 1000), -1, strings.Repeat("9", 1000)}, {strings.Repeat("9", 1001), -1, ""},
	} {
		got, ok := decimal(c.in, c.scale)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("decimal(%.20q, %d) = %q, %v, want %q", c.in, c.scale, got, ok, c.want)
		}
	}
}

// FuzzDecimal holds that a decimal in plain form is a fixed point, and that no digit is invented or lost.
func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"1234.50", "-0", "1e-5", ".5", "9e99", "+00.10"} {
		f.Add(s, 2)
	}
	f.Fuzz(func(t *testing.T, s string, scale int) {
		scale = scale%40 - 1
		once, ok := decimal(s, scale)
		if !ok {
			return
		}
		if twice, ok := decimal(once, scale); !ok || twice != once {
			t.Fatalf("%q became %q and then %q", s, once, twice)
		}
		var number json.Number
		if err := json.Unmarshal([]byte(once), &number); err != nil {
			t.Fatalf("%q became %q, which is no number", s, once)
		}
	})
}

// FuzzAppendString holds that every string comes back from a JSON reader as it was.
func FuzzAppendString(f *testing.F) {
	f.Add("张三\u2028\x00\"\\\n</script>\U0001F600")
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); strings.ReplaceAll(back, "\ufffd", "") != strings.ReplaceAll(want, "\ufffd", "") {
			t.Fatalf("%q came back as %q", s, back)
		}
	})
}
