package layout

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"google.golang.org/protobuf/proto"
)

// documents reads README.md and all of docs/ by path from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, path := range append(paths, "../../README.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(text)
	}
	return texts
}

// TestDocumentLinks holds that every relative link leads to a file, and every fragment to a heading of it.
func TestDocumentLinks(t *testing.T) {
	texts := documents(t)
	for path, text := range texts {
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			file, fragment, _ := strings.Cut(link[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", path, link[1])
			} else if fragment != "" && !headings(texts[target])[fragment] {
				t.Errorf("%s links to %s, which has no such heading", path, link[1])
			}
		}
	}
}

// headings are the fragments by which a Markdown document's headings are linked to.
func headings(text string) map[string]bool {
	fragments := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		s := strings.ToLower(strings.TrimSpace(heading[1]))
		s = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(s, "")
		fragments[strings.ReplaceAll(s, " ", "-")] = true
	}
	return fragments
}

// TestDocumentsNameTests holds that the tests which the documents call as witnesses exist.
func TestDocumentsNameTests(t *testing.T) {
	declared := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			declared[string(name[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range documents(t) {
		for _, name := range regexp.MustCompile("`(Test[A-Z]\\w+)`").FindAllStringSubmatch(text, -1) {
			if !declared[name[1]] {
				t.Errorf("%s names %s, which is no test", path, name[1])
			}
		}
	}
}

// TestAccessLogDocument holds that docs/accesslog.md tells of every field that a record can have.
func TestAccessLogDocument(t *testing.T) {
	text := documents(t)["../../docs/accesslog.md"]
	for _, m := range []proto.Message{&auditv1.Record{}, &auditv1.Caller{}, &auditv1.Intent{}, &auditv1.Outcome{}, &auditv1.Answer{}, &auditv1.AuditRead{}} {
		message := m.ProtoReflect().Descriptor()
		for i := range message.Fields().Len() {
			if name := string(message.Fields().Get(i).Name()); !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%s.%s is missing", message.Name(), name)
			}
		}
	}
}

// TestOperatingDocument holds that docs/operating.md names every metric.
func TestOperatingDocument(t *testing.T) {
	text := documents(t)["../../docs/operating.md"]
	for _, path := range []string{"../../exchange/metric.go", "../../node/metric.go"} {
		code, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`"(kuasheng_[a-z_]+)"`).FindAllSubmatch(code, -1)
		if len(names) == 0 {
			t.Errorf("%s has no metric", path)
		}
		for _, name := range names {
			if !strings.Contains(text, "`"+string(name[1])+"`") {
				t.Errorf("%s is missing", name[1])
			}
		}
	}
}
