package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sound is a file without mistakes; the cases of TestMistakes each spoil one thing in it. Lines are counted from the
// first one here.
const sound = `region: "410000"
replica: node-1
data_dir: data
identity: { svid: a.pem, key: a.key, bundles: { exchange.example: b.pem } }
exchange: { id: spiffe://exchange.example/exchange, addresses: [ "127.0.0.1:7443" ], log_key: "LOGKEY" }
sources:
  lite: { sqlite: { path: a.db } }
  pg: { postgres: { dsn: "postgres://u@h/d" } }
  web: { http: { base_url: "https://h/api", header_env: { Authorization: TOKEN } } }
resources:
  - code: 307410000001/000001
    title: { zh: 缴存 }
    abstract: { zh: 缴存 }
    provider: { name: 厅, uscc: 11410000MB0D00416U }
    format: database
    share: { type: conditional, condition: 按需, uses: [ 转移 ], mode: service }
    update_cycle: daily
    grade: general_2
    source_department: 11410000MB0D00416U
    fields:
      - { name: account_no, title: { zh: 账号 }, type: C, length: 20 }
      - { name: balance, title: { zh: 余额 }, type: Y, scale: 2 }
    parameters:
      - { name: id_number, type: C, required: true, subject: true }
    source: lite
    query: SELECT account_no, balance FROM t WHERE id = :id_number
    limits: { timeout: 2s }
  - code: 307410000001/000002
    title: { zh: 学位 }
    abstract: { zh: 学位 }
    provider: { name: 厅, uscc: 11410000MB0D00416U }
    format: service
    share: { type: not_shared, reason: 涉密, law: 保守国家秘密法 }
    update_cycle: yearly
    grade: core
    source_department: 11410000MB0D00416U
    fields: [ { name: degree, title: { zh: 学位 }, type: C } ]
  - code: 307410000001/000003
    title: { zh: 学历 }
    abstract: { zh: 学历 }
    provider: { name: 厅, uscc: 11410000MB0D00416U }
    format: service
    share: { type: unconditional, mode: service }
    update_cycle: yearly
    grade: general_1
    source_department: 11410000MB0D00416U
    fields: [ { name: degree, title: { zh: 学位 }, type: C } ]
    parameters: [ { name: id, type: C, required: true }, { name: year, type: I } ]
    source: web
    request: { path: "/people/{id}", query: { y: "{year}" }, rows: data.items }
policy:
  deny: [ { requester: "province:330000", reason: 暂停 } ]
  mask: [ { resource: 307410000001/000001, field: account_no, with: name } ]
  pseudonym_key: p.key
`

func soundFile() string { return strings.Replace(sound, "LOGKEY", placeholderKey(), 1) }

func TestParseSound(t *testing.T) {
	n, err := Parse("node.yaml", []byte(soundFile()))
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Resources) != 3 || len(n.Sources) != 3 {
		t.Fatalf("got %d resources and %d sources", len(n.Resources), len(n.Sources))
	}
	r := n.Resources[2]
	want := &Request{Method: "GET", Path: "/people/{id}", Query: []Pair{{"y", "{year}"}}, Rows: "data.items", At: r.Request.At}
	if diff := cmp.Diff(want, r.Request); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"Authorization": "TOKEN"}, n.Sources[2].HeaderEnv); diff != "" {
		t.Error(diff)
	}
	if d := n.Policy.Deny[0]; d.Resource != Any || d.Purpose != Any || d.Requester != "province:330000" {
		t.Errorf("deny is read as %+v", d)
	}
	if got := n.Sources[0].TimeZone.String(); got != "Asia/Shanghai" {
		t.Errorf("got time zone %s", got)
	}
}

func TestParseWorkloadIdentity(t *testing.T) {
	text := strings.Replace(soundFile(), "{ svid: a.pem, key: a.key, bundles: { exchange.example: b.pem } }", "{ workload_api: unix:///run/agent.sock }", 1)
	n, err := Parse("node.yaml", []byte(text))
	if err != nil || n.Identity.WorkloadAPI != "unix:///run/agent.sock" {
		t.Errorf("got %+v, %v", n, err)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		line           int
		column         int    // 0: not looked at
		message        string // part of it
	}{
		{"unknown key", "replica:", "replicas: x\nreplica:", 2, 1, "unknown key `replicas` in the file; did you mean `replica`?"},
		{"unknown key in a flow mapping", "length: 20", "lenght: 20", 21, 57, "did you mean `length`?"},
		{"duplicate key", "data_dir: data", "data_dir: data\nreplica: b", 4, 1, "`replica` stands twice in the file, first on line 2"},
		{"missing key", "    grade: general_2\n", "", 11, 5, "a resource lacks `grade`"},
		{"empty value", "data_dir: data", "data_dir:", 3, 0, "`data_dir` is empty"},
		{"number for text", `region: "410000"`, "region: 410000", 1, 9, `put it in quotes: "410000"`},
		{"text for boolean", "required: true", "required: yes", 24, 0, "`required` must be true or false, not text"},
		{"list for mapping", "title: { zh: 缴存 }", "title: [ a ]", 12, 0, "`title` must be keys and values, not a list"},
		{"mapping for list", "uses: [ 转移 ]", "uses: { a: b }", 16, 0, "`uses` must be a list"},
		{"alias", "data_dir: data", "data_dir: &d data", 3, 0, "anchor or alias"},
		{"merge key", "data_dir: data", "<<: { data_dir: data }", 3, 1, "merge keys"},
		{"tag", "data_dir: data", "data_dir: !!str data", 3, 0, "YAML tag"},
		{"region", `"410000"`, `"420100"`, 1, 9, "no province-level region code"},
		{"replica", "replica: node-1", "replica: ../x", 2, 10, "a-z, 0-9 and -"},
		{"duration without unit", "timeout: 2s", "timeout: 2", 27, 24, "lacks a unit"},
		{"duration nonsense", "timeout: 2s", "timeout: soon", 27, 24, "no length of time"},
		{"duration too long", "timeout: 2s", "timeout: 2h", 27, 24, "between 10ms and 30s"},
		{"whole number out of bounds", "timeout: 2s", "rows: 0", 27, 0, "`rows` must be between 1 and 10000"},
		{"whole number beyond 64 bits", "timeout: 2s", "rows: 99999999999999999999", 27, 0, "`rows` must be"},
		{"fraction", "timeout: 2s", "rows: 1.5", 27, 0, "`rows` must be a whole number, not a number"},
		{"enum", "update_cycle: daily", "update_cycle: dayly", 17, 19, "unknown word `dayly` for `update_cycle`; did you mean `daily`?"},
		{"resource code", "code: 307410000001/000001", "code: 3074/x", 11, 11, "no resource code"},
		{"resource twice", "code: 307410000001/000003", "code: 307410000001/000001", 38, 5, "stands twice, first on line 11"},
		{"uscc", "name: 厅, uscc: 11410000MB0D00416U }\n    format: database", "name: 厅, uscc: 11410000MB0D00416X }\n    format: database", 14, 0, "no unified social credit code"},
		{"exchange id", "id: spiffe://exchange.example/exchange", "id: spiffe://exchange.example/node", 5, 17, "not an exchange's SPIFFE ID"},
		{"log key", placeholderKey(), "x+y+z", 5, 0, "no verifier key"},
		{"address", `"127.0.0.1:7443"`, `"127.0.0.1"`, 5, 0, "host:port"},
		{"bundle", "exchange.example: b.pem", "Exchange/x: b.pem", 4, 0, "no trust domain"},
		{"workload and files", "svid: a.pem,", "svid: a.pem, workload_api: unix:///s,", 4, 13, "`svid` cannot stand beside"},
		{"no svid", "svid: a.pem, ", "", 4, 11, "`identity` lacks `svid`"},
		{"condition on unconditional", "{ type: unconditional, mode: service }", "{ type: unconditional, mode: service, condition: x }", 43, 50, "has no `condition`"},
		{"conditional without uses", ", uses: [ 转移 ]", "", 16, 12, "must state `uses`"},
		{"conditional with no use", "uses: [ 转移 ]", "uses: []", 16, 0, "`uses` is empty"},
		{"not shared without law", ", law: 保守国家秘密法", "", 33, 12, "must state `law`"},
		{"core and routed", "grade: general_2", "grade: core", 18, 12, "never routed"},
		{"base data with a condition", "code: 307410000001/000001", "code: 101410000001/000001", 16, 0, "shared unconditionally by law"},
		{"field twice", "name: balance,", "name: account_no,", 22, 9, "stands twice, first on line 21"},
		{"column twice", "type: Y, scale: 2", "type: Y, column: ACCOUNT_NO", 22, 9, "read the same column"},
		{"field name", "name: balance", "name: Balance", 22, 17, "lower-case letters"},
		{"scale on text", "type: C, length: 20", "type: C, scale: 2", 21, 57, "`scale` is for types N and Y only"},
		{"mask on a number", "scale: 2", "scale: 2, mask: phone", 22, 0, "can only be masked with redact"},
		{"mask word", "length: 20", "mask: nmae", 21, 0, "did you mean `name`?"},
		{"two subjects", "{ name: id, type: C, required: true }, { name: year, type: I }", "{ name: id, type: C, required: true, subject: true }, { name: year, type: I, subject: true }", 48, 0, "parameter `id` is the subject already"},
		{"parameter twice", "{ name: year, type: I }", "{ name: id, type: I }", 48, 0, "stands twice"},
		{"format on a number", "name: year, type: I", "name: year, type: I, format: uscc", 48, 0, "type C only"},
		{"undeclared placeholder", ":id_number", ":id_nubmer", 26, 12, "uses parameter `id_nubmer`, which is not declared; declare it under `parameters`; did you mean `id_number`?"},
		{"unused parameter", "WHERE id = :id_number", "", 24, 9, "declared and never used; use it as :id_number"},
		{"unused request parameter", `query: { y: "{year}" }, `, "", 48, 58, "use it as {year}"},
		{"write", "SELECT account_no, balance FROM t WHERE", "DELETE FROM t WHERE", 26, 0, "SELECT or WITH"},
		{"unknown source", "source: lite", "source: liet", 25, 13, "unknown source `liet`; did you mean `lite`?"},
		{"query for http", "source: lite", "source: web", 26, 5, "`query` is for databases only"},
		{"request for a database", "source: web", "source: lite", 50, 5, "`request` is for HTTP sources only"},
		{"source for what is not shared", "law: 保守国家秘密法 }\n", "law: 保守国家秘密法 }\n    source: lite\n", 34, 5, "remove `source`"},
		{"two kinds", "lite: { sqlite: { path: a.db } }", `lite: { sqlite: { path: a.db }, http: { base_url: "https://h" } }`, 7, 35, "is sqlite already"},
		{"no kind", "lite: { sqlite: { path: a.db } }", "lite: { time_zone: Asia/Shanghai }", 7, 0, "has no kind"},
		{"time zone", "path: a.db }", "path: a.db }, time_zone: Peking", 7, 0, "no IANA time zone"},
		{"dsn", "postgres://u@h/d", "postgres://u:secret-word@h:x/d", 8, 0, "`dsn` cannot be read"},
		{"two dsns", `dsn: "postgres://u@h/d"`, `dsn: "postgres://u@h/d", dsn_env: X`, 8, 0, "exclude each other"},
		{"credentials in a url", "https://h/api", "https://u:secret-word@h/api", 9, 0, "no credentials"},
		{"secret instead of a variable", "Authorization: TOKEN", "Authorization: Bearer secret-word", 9, 0, "environment variable"},
		{"path outside", `"/people/{id}"`, `"/../{id}"`, 50, 0, "must begin with /"},
		{"hole in a path", "{ name: id, type: C, required: true }, {", "{ name: id, type: C }, {", 48, 19, "set required: true"},
		{"stray brace", `"/people/{id}"`, `"/people/{id}/{"`, 50, 0, "brace"},
		{"body of a get", "rows: data.items", `body: { a: "{id}" }`, 50, 0, "no body"},
		{"deny nobody", `requester: "province:330000", `, "", 52, 11, "names a requester"},
		{"deny an unknown province", "province:330000", "province:990000", 52, 0, "names no province"},
		{"deny a stranger", "province:330000", "zhejiang", 52, 0, "must be a SPIFFE ID"},
		{"mask of an unknown field", "field: account_no", "field: acount_no", 53, 0, "did you mean `account_no`?"},
		{"mask of an unknown resource", "mask: [ { resource: 307410000001/000001", "mask: [ { resource: 307410000001/000009", 53, 0, "not in this file"},
		{"syntax", "replica: node-1", "replica: [ node-1", 0, 0, ""},
		{"second document", "policy:\n", "---\npolicy:\n", 0, 0, "second document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := soundFile()
			if !strings.Contains(text, c.old) {
				t.Fatalf("%q is not in the sound file", c.old)
			}
			n, err := Parse("node.yaml", []byte(strings.Replace(text, c.old, c.new, 1)))
			var m *Mistakes
			if !errors.Is(err, ErrMistakes) || !errors.As(err, &m) || n != nil {
				t.Fatalf("got %v, %v, want mistakes", n, err)
			}
			if strings.Contains(err.Error(), "secret-word") {
				t.Errorf("the message repeats a secret: %v", err)
			}
			for _, one := range m.List {
				if (c.line == 0 || one.Line == c.line) && (c.column == 0 || one.Column == c.column) && strings.Contains(one.Message, c.message) {
					return
				}
			}
			t.Errorf("no mistake at %d:%d says %q:\n%v", c.line, c.column, c.message, err)
		})
	}
}

// TestMistakesAllAtOnce holds that one mistake hides no other and that they come in order.
func TestMistakesAllAtOnce(t *testing.T) {
	text := strings.NewReplacer(`"410000"`, `"000000"`, "grade: general_2", "grade: secret", "lenght", "length", "timeout: 2s", "timeout: 2", "ticket_age", "x", "pseudonym_key: p.key", "pseudonym_kye: p.key").Replace(soundFile())
	_, err := Parse("node.yaml", []byte(text))
	var m *Mistakes
	if !errors.As(err, &m) {
		t.Fatal(err)
	}
	var lines []int
	for _, one := range m.List {
		lines = append(lines, one.Line)
	}
	if diff := cmp.Diff([]int{1, 18, 27, 52, 54}, lines); diff != "" {
		t.Errorf("%s\n%v", diff, err)
	}
	if first := strings.SplitN(err.Error(), "\n", 2)[0]; !strings.HasPrefix(first, "node.yaml:1:9: ") {
		t.Errorf("first line is %q", first)
	}
}

func TestParseOutsideBytes(t *testing.T) {
	for name, c := range map[string]struct{ in, message string }{
		"empty":     {"", "empty"},
		"comment":   {"# nothing\n", "empty"},
		"gbk":       {"region: \xba\xd3\xc4\xcf\n", "not UTF-8"},
		"scalar":    {"hello", "keys and values"},
		"deep":      {strings.Repeat("[", 100000), "deeper"},
		"indented":  {strings.Repeat("- ", 100000) + "x", "deeper"},
		"not yaml":  {"a: [\n b: }", "not YAML"},
		"backspace": {"region: \"a\\b\"\n", "control character"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("node.yaml", []byte(c.in))
			if !errors.Is(err, ErrMistakes) || !strings.Contains(err.Error(), c.message) {
				t.Errorf("got %v, want %q", err, c.message)
			}
		})
	}
}

func TestParseTakesWindowsFiles(t *testing.T) {
	text := "\ufeff" + strings.ReplaceAll(soundFile(), "\n", "\r\n")
	if _, err := Parse("node.yaml", []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "node.yaml")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want a missing file", err)
	}
	if err := os.WriteFile(path, []byte(soundFile()), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if n.DataDir != filepath.Join(dir, "data") || n.Sources[0].Path != filepath.Join(dir, "a.db") || n.File != path {
		t.Errorf("paths are read as %q, %q, %q", n.DataDir, n.Sources[0].Path, n.File)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(soundFile()))
	f.Add([]byte(Template(Beginning{})))
	f.Add([]byte("resources:\n- fields: [ { name: a } ]\n  query: |\n    SELECT\n"))
	f.Add([]byte("a: &a [ *a ]\n? {}\n: x\n--- !!x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := Parse("node.yaml", data)
		if (n == nil) == (err == nil) {
			t.Fatalf("got %v and %v", n, err)
		}
		var m *Mistakes
		if err != nil && (!errors.As(err, &m) || len(m.List) == 0) {
			t.Fatalf("got %v, want mistakes", err)
		}
	})
}
