package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/node/config"
	"github.com/kuasheng/kuasheng/node/source"
)

// sources opens a province's generated databases as its node does.
func sources(t *testing.T, m Manifest) (*config.Node, *source.Set) {
	t.Helper()
	region, _ := ident.LookupRegion(m.Region)
	n := nodeFile(t, region, filepath.Dir(m.Files[0].Path))
	set, err := source.Open(t.Context(), n, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return n, set
}

// shared returns the fields that a grant could name.
func shared(r config.Resource) []string {
	var list []string
	for _, f := range r.Fields {
		if f.Share != config.NotShared {
			list = append(list, f.Name)
		}
	}
	return list
}

// TestNodeAnswers asks a node's sources for everything about everyone in the manifest.
func TestNodeAnswers(t *testing.T) {
	for _, region := range demoRegions() {
		m := generate(t, region, 21)
		n, set := sources(t, m)
		for _, f := range set.Check(t.Context()) {
			t.Errorf("%s: node check finds %s %s: %s", region.English, f.Resource, f.Field, f.Problem)
		}
		for _, r := range n.Resources {
			for _, subject := range subjects(m, r) {
				answer, err := set.Query(t.Context(), source.Request{
					Resource: r.Code, Fields: shared(r), Parameters: map[string]string{r.Parameters[0].Name: subject},
				})
				if err != nil {
					t.Errorf("%s %s: %v", region.English, r.Title.EN, err)
					continue
				}
				var body struct{ Rows []map[string]any }
				if err := json.Unmarshal(answer.JSON, &body); err != nil || len(body.Rows) != answer.Rows || answer.Rows == 0 {
					t.Errorf("%s %s: %d rows announced, %d found, %v", region.English, r.Title.EN, answer.Rows, len(body.Rows), err)
				}
			}
		}
	}
}

func TestNodeExportsChanges(t *testing.T) {
	region := guangdong().region
	m, err := Generate(t.Context(), t.TempDir(), region, 100, 1200, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, set := sources(t, m)
	code, ok := Code(region, Change)
	if !ok {
		t.Fatal("Guangdong publishes no changes")
	}
	request := source.Request{
		Resource: code.String(), Fields: []string{"entry_no", "uscc", "item", "content_before", "content_after", "changed_on"},
		Parameters: map[string]string{"since": "2024-01-01"},
	}
	lines := 0
	total, err := set.Export(t.Context(), request, 0, 64<<10, func(chunk []byte, rows int) error {
		lines += bytes.Count(chunk, []byte("\n"))
		return nil
	})
	if err != nil || total < 3000 || int64(lines) != total || lines != fileRows(m, "market", "enterprise_change") {
		t.Errorf("%d rows in %d lines, %v", total, lines, err)
	}
	// As a query the same would be too much for one answer.
	if _, err := set.Query(t.Context(), request); !errors.Is(err, source.ErrTooManyRows) {
		t.Errorf("error %v, want %v", err, source.ErrTooManyRows)
	}
}

func fileRows(m Manifest, name, table string) int {
	for _, f := range m.Files {
		if f.Source == name {
			return f.Rows[table]
		}
	}
	return 0
}
