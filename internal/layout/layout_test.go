package layout

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kuasheng/kuasheng/"

type goPackage struct {
	Dir        string
	ImportPath string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=Dir,ImportPath,Imports,GoFiles", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// layer returns the part of the tree that a package belongs to.
func layer(path string) string {
	part, _, _ := strings.Cut(strings.TrimPrefix(path, module), "/")
	return part
}

// TestImports holds the direction of imports: cmd → exchange | node → internal, certs → gen, and exchange and node never import each other.
func TestImports(t *testing.T) {
	allowed := map[string][]string{
		"cmd":      {"cmd", "exchange", "node", "internal", "certs", "gen"},
		"exchange": {"exchange", "internal", "certs", "gen"},
		"node":     {"node", "internal", "certs", "gen"},
		"internal": {"internal", "certs", "gen"},
		"certs":    {"certs", "internal", "gen"},
		"gen":      {"gen"},
	}
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, module) {
				continue
			}
			// The harness is the whole system for tests, and nothing but tests imports it.
			if p.ImportPath == module+"internal/harness" {
				continue
			}
			if imported == module+"internal/harness" {
				t.Errorf("%s imports the test harness outside its tests", p.ImportPath)
			}
			if !slices.Contains(allowed[layer(p.ImportPath)], layer(imported)) {
				t.Errorf("%s must not import %s", p.ImportPath, imported)
			}
		}
	}
}

// TestVerificationImportsNoStorage holds that what an auditor needs to verify pulls in no storage, and the log's own verification no server
// either. Receipts are protobuf messages whose package also holds the services' stubs.
func TestVerificationImportsNoStorage(t *testing.T) {
	storage := []string{"badger", "database/sql", "translog/segment"}
	for pkg, banned := range map[string][]string{
		"internal/translog": append([]string{"google.golang.org/grpc", "net/http"}, storage...),
		"internal/evidence": storage,
	} {
		out, err := exec.Command("go", "list", "-deps", module+pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range banned {
			if strings.Contains(string(out), b) {
				t.Errorf("%s depends on %s", pkg, b)
			}
		}
	}
}

// TestPackageComments holds that every package has exactly one package comment.
func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		if layer(p.ImportPath) == "gen" {
			continue
		}
		n := 0
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil {
				n++
			}
		}
		if n != 1 && len(p.GoFiles) > 0 {
			t.Errorf("%s has %d package comments, want 1", p.ImportPath, n)
		}
	}
}

// TestTopLevel holds that the top level has nothing but what the design names.
func TestTopLevel(t *testing.T) {
	want := strings.Fields(`proto gen cmd exchange node certs internal docs buf.yaml buf.gen.yaml go.mod go.sum README.md LICENSE
		.ci .deps .git .gitignore .golangci.yml`)
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(want, e.Name()) && !ignored(e) {
			t.Errorf("%s does not belong to the top level", e.Name())
		}
	}
}

// ignored are what people's tools leave behind and git ignores.
func ignored(e fs.DirEntry) bool {
	return slices.Contains([]string{"bin", "demo", ".idea", ".vscode", "go.work", "go.work.sum", ".DS_Store"}, e.Name())
}
