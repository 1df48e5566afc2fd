package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/internal/yamlfile"
)

func TestTemplate(t *testing.T) {
	want := &Exchange{
		File: "etc/exchange.yaml", Domain: "exchange.example", DataDir: "etc/data", LogKey: "etc/secrets/accesslog.key",
		Identity: Identity{Files: certs.Files{
			SVID: "etc/certs/server/svid.pem", Key: "etc/certs/server/svid.key", Bundles: map[string]string{"exchange.example": "etc/certs/bundle.pem"},
		}},
		Listen: Listen{GRPC: "127.0.0.1:7443", REST: "127.0.0.1:7444", Metrics: "127.0.0.1:9463"},
	}
	got, err := Parse("etc/exchange.yaml", []byte(Template(Beginning{Domain: "exchange.example"})))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err = Parse("etc/exchange.yaml", []byte(Template(Beginning{Domain: "exchange.example", Dir: `/srv/k "x"`}))); err != nil {
		t.Fatal(err)
	}
	if got.DataDir != `/srv/k "x"/data` {
		t.Errorf("data_dir is %q", got.DataDir)
	}
}

// good is a file without mistakes, a key a line.
func good() []string {
	return []string{
		"domain: exchange.example", "data_dir: data", "identity: { svid: a.pem, key: a.key, bundles: { exchange.example: b.pem } }",
		"log_key: log.key", "listen: { grpc: 127.0.0.1:1, rest: 127.0.0.1:2 }",
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct {
		name, key, line string
		want            []string // line:column word
	}{
		{"unknown key", "log_key", "log_key: log.key\nlogkey: x", []string{"5:1 log_key"}},
		{"repeated key", "domain", "domain: exchange.example\ndomain: exchange.example", []string{"2:1 twice"}},
		{"scheme in domain", "domain", "domain: spiffe://exchange.example", []string{"1:9 trust domain"}},
		{"number for text", "data_dir", "data_dir: 7", []string{"2:11 quotes"}},
		{"missing", "data_dir", "", []string{"1:1 data_dir"}},
		{"no identity", "identity", "identity: { svid: a.pem }", []string{"3:1 key", "3:1 bundles"}},
		{"socket and files", "identity", "identity: { workload_api: unix:///s, key: a.key }", []string{"3:38 beside"}},
		{"wrong socket", "identity", "identity: { workload_api: /s }", []string{"3:27 socket"}},
		{"somebody else's authority", "identity", "identity: { svid: a, key: b, bundles: { henan.example: c } }", []string{"3:30 lacks", "3:41 own domain"}},
		{"no port", "listen", "listen: { grpc: localhost }", []string{"5:17 host:port"}},
		{"port twice", "listen", "listen: { grpc: 'a:1', metrics: 'a:1' }", []string{"5:33 own port"}},
		{"unknown listener", "listen", "listen: { grpc: 'a:1', http: 'a:2' }", []string{"5:24 unknown key"}},
		{"segment too small", "log_key", "log_key: l\nsegment_size: 1MiB", []string{"5:15 between"}},
		{"segment uneven", "log_key", "log_key: l\nsegment_size: 9000001", []string{"5:15 multiple"}},
		{"segment wrong", "log_key", "log_key: l\nsegment_size: big", []string{"5:15 no size"}},
		{"anchor", "domain", "domain: &a exchange.example", []string{"1:9 anchor"}},
		{"not YAML", "domain", "domain: [", []string{"1:9 not YAML"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines := good()
			for i, l := range lines {
				if strings.HasPrefix(l, test.key+":") {
					lines[i] = test.line
				}
			}
			_, err := Parse("f", []byte(strings.Join(lines, "\n")))
			var m *yamlfile.Mistakes
			if !errors.As(err, &m) || !errors.Is(err, yamlfile.ErrMistakes) {
				t.Fatalf("got %v", err)
			}
			if len(m.List) != len(test.want) {
				t.Fatalf("got %d mistakes, want %d:\n%v", len(m.List), len(test.want), err)
			}
			for i, w := range test.want {
				place, word, _ := strings.Cut(w, " ")
				if got := fmt.Sprintf("%d:%d", m.List[i].Line, m.List[i].Column); got != place || !strings.Contains(m.List[i].Message, word) {
					t.Errorf("got %s %s, want %s …%s…", got, m.List[i].Message, place, word)
				}
			}
		})
	}
}

// TestAllAtOnce: a file wrong in several places is reported once, in order.
func TestAllAtOnce(t *testing.T) {
	_, err := Parse("f", []byte("domian: x\ndata_dir: ''\nsegment_size: 1\nlisten: { grpc: x }\nlog_key: [ ]\n"))
	var m *yamlfile.Mistakes
	if !errors.As(err, &m) || len(m.List) != 7 {
		t.Fatalf("got %v", err)
	}
}

func TestNotAFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "exchange init") {
		t.Errorf("got %v", err)
	}
	for name, data := range map[string]string{
		"empty": "", "list": "- a", "gbk": "domain: \xc9\xb3", "deep": strings.Repeat("[", 100), "large": strings.Repeat("#", maxFile+1), "two": "a: 1\n---\nb: 2",
	} {
		if _, err := Parse("f", []byte(data)); !errors.Is(err, yamlfile.ErrMistakes) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(Template(Beginning{Domain: "exchange.example"})))
	f.Add([]byte("a: {b: [&x *x !!t <<]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := Parse("f", data); err == nil && (e.Domain == "" || e.Listen.GRPC == "") {
			t.Errorf("accepted a file without domain or address")
		}
	})
}
