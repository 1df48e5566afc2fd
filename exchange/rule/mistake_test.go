package rule

import (
	"errors"
	"strings"
	"testing"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

func TestErr(t *testing.T) {
	var none Mistakes
	none.Text("title", "不动产登记信息\n第二行")
	none.USCC("uscc", "11410000MB0D00416U")
	if err := none.Err(); err != nil {
		t.Errorf("no mistakes, but %v", err)
	}

	for _, c := range []struct {
		name    string
		note    func(*Mistakes)
		reason  auditv1.Reason
		subject string
		listed  int
	}{
		{"a rule alone", func(m *Mistakes) { m.Violation("a", "x") }, auditv1.Reason_REASON_RULE_VIOLATED, "a", 1},
		{"the request before the rules", func(m *Mistakes) { m.Violation("a", "x"); m.Argument("b", "y") }, auditv1.Reason_REASON_ARGUMENT_INVALID, "b", 2},
		{"first of its kind", func(m *Mistakes) {
			m.Add(auditv1.Reason_REASON_FIELD_UNKNOWN, "a", "x")
			m.Argument("b", "y")
		}, auditv1.Reason_REASON_FIELD_UNKNOWN, "a", 2},
		{"identity number before all", func(m *Mistakes) { m.Argument("a", "x"); m.Text("b", "张三 51010018800101001X") }, auditv1.Reason_REASON_IDENTITY_NUMBER_IN_TEXT, "b", 2},
		{"USCC", func(m *Mistakes) { m.USCC("a", "11410000MB0D00416X") }, auditv1.Reason_REASON_ARGUMENT_INVALID, "a", 1},
		{"terminal escape", func(m *Mistakes) { m.Text("a", "\x1b[31m") }, auditv1.Reason_REASON_ARGUMENT_INVALID, "a", 1},
		{"reading direction", func(m *Mistakes) { m.Text("a", "abc\u202ecba") }, auditv1.Reason_REASON_ARGUMENT_INVALID, "a", 1},
		{"very many", func(m *Mistakes) {
			for range 1000 {
				m.Argument("a", "x")
			}
		}, auditv1.Reason_REASON_ARGUMENT_INVALID, "a", maxReported},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m Mistakes
			c.note(&m)
			err := m.Err()
			e, ok := refusal.Of(err)
			if !ok || !errors.Is(err, &refusal.Error{Reason: c.reason}) {
				t.Fatalf("error %v, want %v", err, c.reason)
			}
			if e.Subject != c.subject || len(e.Fields) != c.listed {
				t.Errorf("about %q with %d mistakes, want %q with %d", e.Subject, len(e.Fields), c.subject, c.listed)
			}
			if strings.Contains(err.Error(), "51010018800101001X") {
				t.Error("the refusal repeats the identity number")
			}
		})
	}
}
