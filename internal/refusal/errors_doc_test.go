package refusal_test

import (
	"os"
	"strings"
	"testing"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// documented is one row of the tables of docs/errors.md.
type documented struct{ code, hop, cause, cure, chinese string }

// TestErrorsDocument holds docs/errors.md to the code: every reason stands there once, with the gRPC code and the Chinese message that callers get,
// and nothing stands there that callers cannot get.
func TestErrorsDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := reasonRows(t, string(text))
	for number, full := range auditv1.Reason_name {
		reason := auditv1.Reason(number)
		if reason == auditv1.Reason_REASON_UNSPECIFIED {
			continue
		}
		name := refusal.Name(reason)
		row, ok := rows[name]
		delete(rows, name)
		switch {
		case !ok:
			t.Errorf("%s is missing", full)
		case row.code != refusal.Code(reason).String():
			t.Errorf("%s has the code %s, the document says %s", full, refusal.Code(reason), row.code)
		case row.chinese != refusal.Chinese(reason):
			t.Errorf("%s has the message %q, the document says %q", full, refusal.Chinese(reason), row.chinese)
		case row.hop == "" || row.cause == "" || row.cure == "":
			t.Errorf("%s lacks hop, cause or cure", full)
		}
	}
	for name := range rows {
		t.Errorf("%s is no reason", name)
	}
}

// reasonRows reads the tables whose head begins with "reason".
func reasonRows(t *testing.T, text string) map[string]documented {
	t.Helper()
	const columns = 6
	rows := map[string]documented{}
	inside := false
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			inside = false
		case cells[0] == "reason" && len(cells) == columns:
			inside = true
		case inside && !strings.HasPrefix(cells[0], "---"):
			if len(cells) != columns {
				t.Errorf("row %s has %d cells, want %d", cells[0], len(cells), columns)
				continue
			}
			if _, twice := rows[cells[0]]; twice {
				t.Errorf("%s stands twice", cells[0])
			}
			rows[cells[0]] = documented{cells[1], cells[2], cells[3], cells[4], cells[5]}
		}
	}
	if len(rows) == 0 {
		t.Fatal("found no table of reasons")
	}
	return rows
}
