package dataset

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/node/config"
)

// nodeFile completes the generated sections to a whole file and reads it as the node would.
func nodeFile(t *testing.T, region ident.Region, dir string) *config.Node {
	t.Helper()
	sections, err := NodeYAML(region, dir)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := note.GenerateKey(nil, "exchange.example/access")
	if err != nil {
		t.Fatal(err)
	}
	head := fmt.Sprintf(`region: %q
replica: node-1
data_dir: data
identity: { svid: svid.pem, key: svid.key, bundles: { exchange.example: exchange.pem } }
exchange: { id: "spiffe://exchange.example/exchange", addresses: [ "127.0.0.1:7443" ], log_key: %q }
`, region.Code, key)
	n, err := config.Parse(filepath.Join(t.TempDir(), "node.yaml"), []byte(head+sections))
	if err != nil {
		t.Fatalf("the configuration of %s:\n%v", region.English, err)
	}
	return n
}

func TestNodeYAML(t *testing.T) {
	topics := map[Topic]bool{}
	for _, region := range demoRegions() {
		dir := filepath.Join(t.TempDir(), `a "quoted" 目录: #1`)
		n := nodeFile(t, region, dir)
		p, _ := provinceOf(region)
		if len(n.Resources) != len(p.topics) {
			t.Errorf("%s publishes %d resources for %d topics", region.English, len(n.Resources), len(p.topics))
		}
		for _, topic := range Topics(region) {
			topics[topic] = true
			code, ok := Code(region, topic)
			if r, found := n.Resource(code.String()); !ok || !found || r.Source != string(topic.source()) {
				t.Errorf("%s: topic %s is not published as %s", region.English, topic, code)
			}
		}
		for _, s := range n.Sources {
			if s.Path != filepath.Join(dir, s.Name+".db") {
				t.Errorf("source %s lies at %s", s.Name, s.Path)
			}
		}
		if len(n.Policy.Deny) != 2 || n.Policy.Deny[0].Requester != DeniedRequester(region) || n.Policy.Deny[1].Purpose != DeniedPurpose {
			t.Errorf("%s: deny rules %+v", region.English, n.Policy.Deny)
		}
		if len(n.Policy.Mask) == 0 || n.Policy.PseudonymKey == "" {
			t.Errorf("%s: policy %+v", region.English, n.Policy)
		}
	}
	if len(topics) != len(entries) {
		t.Errorf("%d of %d topics are published", len(topics), len(entries))
	}
}

func TestNodeYAMLRefuses(t *testing.T) {
	sichuan, _ := ident.LookupRegion("510000")
	if _, err := NodeYAML(sichuan, "data"); !errors.Is(err, ErrRegion) {
		t.Errorf("error %v, want %v", err, ErrRegion)
	}
	if _, ok := Code(sichuan, Housing); ok || Topics(sichuan) != nil || DeniedRequester(sichuan) != "" {
		t.Error("another region publishes something")
	}
	if _, ok := Code(henan().region, Degree); ok {
		t.Error("Henan publishes degrees")
	}
}

// TestQueries runs every query as the node's file gives it, for everyone in the manifest, and compares each value with
// the type that the catalogue promises.
func TestQueries(t *testing.T) {
	for _, region := range demoRegions() {
		m := generate(t, region, 11)
		n := nodeFile(t, region, filepath.Dir(m.Files[0].Path))
		nulls, big := map[string]bool{}, false
		for _, r := range n.Resources {
			s, ok := n.Source(r.Source)
			if !ok {
				t.Fatalf("no source %s", r.Source)
			}
			db := open(t, s.Path)
			for _, subject := range subjects(m, r) {
				rows := query(t, db, r, subject)
				if len(rows) == 0 {
					t.Errorf("%s %s: nothing about a notable subject", region.English, r.Title.EN)
				}
				for _, row := range rows {
					big = checkRow(t, r, row, nulls) || big
					checkName(t, m, r, row)
				}
			}
		}
		if len(nulls) == 0 || !big {
			t.Errorf("%s has NULL in %d fields and integers beyond 2^53: %t; the demo needs both", region.English, len(nulls), big)
		}
	}
}

// subjects returns the values of the required parameter that there is data for.
func subjects(m Manifest, r config.Resource) []string {
	var list []string
	switch p := r.Parameters[0]; p.Format {
	case config.FormatCitizenID:
		for _, one := range m.People {
			list = append(list, one.IDNumber)
		}
	case config.FormatUSCC:
		for _, one := range m.Enterprises {
			list = append(list, one.USCC)
		}
	default:
		list = append(list, "2026-01-01")
	}
	return list
}

// query runs a resource's query with its first parameter set and all others NULL.
func query(t *testing.T, db *sql.DB, r config.Resource, subject string) []map[string]any {
	t.Helper()
	var args []any
	for i, p := range r.Parameters {
		var value any
		if i == 0 {
			value = subject
		}
		args = append(args, sql.Named(p.Name, value))
	}
	rows, err := db.Query(r.Query, args...)
	if err != nil {
		t.Fatalf("%s: %v", r.Title.EN, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	want := make([]string, len(r.Fields))
	for i, f := range r.Fields {
		want[i] = f.Column
	}
	if !slices.Equal(columns, want) {
		t.Errorf("%s: the query gives %v, the fields are %v", r.Title.EN, columns, want)
	}
	var list []map[string]any
	for rows.Next() {
		values, pointers := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			t.Fatal(err)
		}
		row := map[string]any{}
		for i, c := range columns {
			row[c] = values[i]
		}
		list = append(list, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// checkName finds the people and enterprises of the manifest in a row and compares their names: all departments know them by
// the same.
func checkName(t *testing.T, m Manifest, r config.Resource, row map[string]any) {
	t.Helper()
	check := func(key, keyColumn, name, nameColumn string) {
		if row[keyColumn] == key && row[nameColumn] != nil && row[nameColumn] != name {
			t.Errorf("%s knows %s by another name in %s", r.Title.EN, name, nameColumn)
		}
	}
	for _, one := range m.People {
		check(one.IDNumber, "id_number", one.Name, "name")
		for _, role := range []string{"man", "woman", "owner", "head", "legal"} {
			check(one.IDNumber, role+"_id_number", one.Name, role+"_name")
		}
	}
	for _, one := range m.Enterprises {
		check(one.USCC, "uscc", one.Name, "name")
		check(one.USCC, "unit_uscc", one.Name, "unit_name")
	}
}

// checkRow compares values with the declared types and reports whether an integer lies beyond 2^53.
func checkRow(t *testing.T, r config.Resource, row map[string]any, nulls map[string]bool) (big bool) {
	t.Helper()
	for _, f := range r.Fields {
		value := row[f.Column]
		if value == nil {
			nulls[f.Name] = true
			continue
		}
		text := fmt.Sprint(value)
		if form, ok := forms[string(f.Type)]; ok && !form.MatchString(text) {
			t.Errorf("%s.%s of type %s does not have its form", r.Title.EN, f.Name, f.Type)
		}
		if f.Length > 0 && len([]rune(text)) > f.Length {
			t.Errorf("%s.%s is longer than %d", r.Title.EN, f.Name, f.Length)
		}
		if _, places, ok := strings.Cut(text, "."); ok && f.Scale >= 0 && len(places) != f.Scale {
			t.Errorf("%s.%s has %d places, its scale is %d", r.Title.EN, f.Name, len(places), f.Scale)
		}
		if i, err := strconv.ParseInt(text, 10, 64); err == nil && f.Type == config.TypeInteger && i > 1<<53 {
			big = true
		}
		if strings.HasSuffix(f.Name, "id_number") {
			if _, err := ident.ParseCitizenID(text); err != nil {
				t.Errorf("%s.%s: %v", r.Title.EN, f.Name, err)
			}
		}
		if strings.HasSuffix(f.Name, "uscc") {
			if u, err := ident.ParseUSCC(text); err != nil || len(u.Warnings()) != 0 {
				t.Errorf("%s.%s: %v", r.Title.EN, f.Name, err)
			}
		}
	}
	return big
}
