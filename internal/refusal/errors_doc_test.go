package refusal_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// TestErrorsDocument holds docs/errors.md to the code: every reason stands there once in English and once in Chinese, with the gRPC code, the
// message and the cure that callers get, and nothing stands there that callers cannot get.
func TestErrorsDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	en := tableRows(t, string(text), []string{"reason", "code", "said by", "cause", "cure"})
	zh := tableRows(t, string(text), []string{"代码", "提示", "原因", "处理办法"})
	for number, full := range auditv1.Reason_name {
		reason := auditv1.Reason(number)
		if reason == auditv1.Reason_REASON_UNSPECIFIED {
			continue
		}
		name := refusal.Name(reason)
		if row, ok := en[name]; !ok {
			t.Errorf("%s is missing in English", full)
		} else if got, want := row[1], refusal.Code(reason).String(); got != want {
			t.Errorf("%s has the code %s, the document says %s", full, want, got)
		}
		if row, ok := zh[name]; !ok {
			t.Errorf("%s is missing in Chinese", full)
		} else if diff := cmp.Diff([]string{name, refusal.Chinese(reason), row[2], refusal.Cure(reason)}, row); diff != "" {
			t.Errorf("%s in Chinese (-code +document):\n%s", full, diff)
		} else if han(row[2]) < 4 {
			t.Errorf("%s has no cause in Chinese: %q", full, row[2])
		}
		delete(en, name)
		delete(zh, name)
	}
	for _, rows := range []map[string][]string{en, zh} {
		for name := range rows {
			t.Errorf("%s is no reason", name)
		}
	}
}

// tableRows reads the tables that have this head, by their first cells. No cell of theirs is empty.
func tableRows(t *testing.T, text string, head []string) map[string][]string {
	t.Helper()
	rows := map[string][]string{}
	inside := false
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			inside = false
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i, cell := range cells {
			if cells[i] = strings.TrimSpace(cell); i < 2 { // reason and code stand in the style of code
				cells[i] = strings.Trim(cells[i], "`")
			}
		}
		switch {
		case slices.Equal(cells, head):
			inside = true
		case !inside || strings.HasPrefix(cells[0], "---"):
		case len(cells) != len(head) || slices.Contains(cells, ""):
			t.Errorf("row %s has an empty cell or not the %d cells of its head", cells[0], len(head))
		default:
			if _, twice := rows[cells[0]]; twice {
				t.Errorf("%s stands twice", cells[0])
			}
			rows[cells[0]] = cells
		}
	}
	if len(rows) == 0 {
		t.Fatalf("found no table with the head %q", head)
	}
	return rows
}
