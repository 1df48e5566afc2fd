package source

import (
	"errors"
	"strings"
	"testing"

	"github.com/kuasheng/kuasheng/node/config"
)

func TestArguments(t *testing.T) {
	declared := []config.Parameter{
		{Name: "id", Type: config.TypeString, Format: config.FormatCitizenID, Required: true, MaxLength: 18},
		{Name: "code", Type: config.TypeString, Format: config.FormatUSCC, MaxLength: 18},
		{Name: "region", Type: config.TypeString, Format: config.FormatRegion, MaxLength: 6},
		{Name: "text", Type: config.TypeString, MaxLength: 10},
		{Name: "must", Type: config.TypeString, Required: true, MaxLength: 10},
		{Name: "amount", Type: config.TypeCurrency, MaxLength: 256},
		{Name: "number", Type: config.TypeInteger, MaxLength: 256},
		{Name: "float", Type: config.TypeFloat, MaxLength: 256},
		{Name: "day", Type: config.TypeDate, MaxLength: 256},
		{Name: "time", Type: config.TypeTime, MaxLength: 256},
		{Name: "flag", Type: config.TypeLogical, MaxLength: 256},
	}
	sound := map[string]string{"id": "51010018800101001X", "must": "x"}
	for _, c := range []struct {
		name, value string
		ok          bool
	}{
		{"id", "440100188506150028", true}, {"id", "440100188506150029", false}, {"id", "410100189002290034", false}, {"id", "", false}, {"id", "51010018800101001x", false},
		{"code", "11410000MB0D00416U", true}, {"code", "11410000MB0D00416X", false}, {"region", "410000", true}, {"region", "420100", false},
		{"text", "", true}, {"text", "一二三四五六七八九十", true}, {"text", "一二三四五六七八九十一", false}, {"text", "\xff", false}, {"text", "a\x00", false},
		{"text", strings.Repeat("x", 1<<20), false}, {"text", "' OR 1=1", true}, {"must", "", false},
		{"amount", "1234.50", true}, {"amount", "1e5", false}, {"amount", " 1", false}, {"amount", "", false}, {"amount", strings.Repeat("9", 66), false}, {"amount", "NaN", false},
		{"number", "-9223372036854775808", true}, {"number", "9223372036854775808", false}, {"number", "1.0", false}, {"number", "0x10", false}, {"number", "1_000", false},
		{"float", "1.5e3", true}, {"float", "Inf", false}, {"float", "0x1p3", false}, {"float", "1e999", false},
		{"day", "1850-02-28", true}, {"day", "1850-02-30", false}, {"day", "1850-2-28", false}, {"day", "0000-01-01", false},
		{"time", "2024-01-01T00:00:00+08:00", true}, {"time", "2024-01-01 00:00:00", false}, {"flag", "true", true}, {"flag", "1", false},
		{"unknown", "x", false}, {"51010018800101001X", "x", false}, {strings.Repeat("long", 100), "x", false},
	} {
		given := map[string]string{}
		for k, v := range sound {
			given[k] = v
		}
		given[c.name] = c.value
		_, err := arguments(declared, given)
		if (err == nil) != c.ok {
			t.Errorf("%.30s=%.30q: got %v", c.name, c.value, err)
		}
		var pe *ParameterError
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrParameter) || !errors.As(err, &pe) {
			t.Errorf("%s: got %v, want a ParameterError", c.name, err)
		}
		if len(c.value) > 3 && strings.Contains(err.Error(), c.value) || strings.Contains(err.Error(), "51010018800101001X") || len(err.Error()) > 200 {
			t.Errorf("%s: the error repeats what came: %.300v", c.name, err)
		}
	}
	if _, err := arguments(declared, map[string]string{"must": "x"}); !errors.Is(err, ErrParameter) {
		t.Errorf("required and missing: got %v", err)
	}
	args, err := arguments(declared, sound)
	if err != nil || len(args) != len(declared) || args["day"].given || !args["id"].given {
		t.Errorf("got %v, %v", args, err)
	}
}
