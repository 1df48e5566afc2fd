package layout

import (
	"os"
	"regexp"
	"testing"

	"golang.org/x/mod/modfile"
)

// TestDependenciesDocument holds docs/dependencies.md to go.mod: every direct requirement has a line, and no line is left of a dependency that is
// gone.
func TestDependenciesDocument(t *testing.T) {
	data, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [^|]+ \\| [^|]+ \\|$").FindAllStringSubmatch(string(text), -1) {
		if documented[row[1]] {
			t.Errorf("%s stands twice", row[1])
		}
		documented[row[1]] = true
	}
	required := map[string]bool{}
	for _, r := range mod.Require {
		required[r.Mod.Path] = true
		if !r.Indirect && !documented[r.Mod.Path] {
			t.Errorf("%s is a direct requirement and has no line", r.Mod.Path)
		}
	}
	for path := range documented {
		if !required[path] {
			t.Errorf("%s has a line and is not required", path)
		}
	}
}
