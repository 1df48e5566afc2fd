package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kuasheng/kuasheng/exchange/client/clienttest"
)

// command runs one command line in this process.
func command(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	if got := run(t.Context(), args, strings.NewReader(""), &out, &errOut); got != want {
		t.Fatalf("%v: exit status %d, want %d\n%s%s", args[:2], got, want, out.String(), errOut.String())
	}
	return out.String(), errOut.String()
}

// TestFalsifiedReceipt changes each thing that a saved answer says, and expects verify-receipt to find it: people read the file, not the records in it.
func TestFalsifiedReceipt(t *testing.T) {
	e := clienttest.New(t)
	e.Masked = []string{"name"}
	t.Setenv(profileEnv, newProfiles(t, e)["APP"])
	saved, _ := command(t, 0, "query", clienttest.Resource, "--field", "name,deposit", "--purpose", clienttest.Purpose, "--basis", "consent",
		"--item", clienttest.ServiceItem, "-o", "json")
	path := filepath.Join(t.TempDir(), "saved.json")
	verify := func(t *testing.T, text string, want int) (stdout, stderr string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return command(t, want, "audit", "verify-receipt", path, "--key", e.Log.Key, "--key", e.Journal.Key)
	}
	verify(t, saved, 0)
	for _, tt := range []struct{ name, old, new string }{
		{"answer", "1200.50", "9.00"},
		{"row taken out", `{"name":"*","deposit":"1200.50"},`, ""},
		{"row twice under one name", `"rows":[`, `"rows":[],"rows":[`},
		{"second answer", "{\n", `{"answer":{"rows":[]},` + "\n"},
		{"no JSON answer", `"answer": {`, `"answer": "x", "x": {`},
		{"answer is null", `"answer": {`, `"answer": null, "x": {`},
		{"access", `"access": "accesses/0",` + "\n" + `  "answerReceipt"`, `"access": "accesses/1",` + "\n" + `  "answerReceipt"`},
		{"row count", `"rowCount": "2"`, `"rowCount": "99"`},
		{"masked fields", `"maskedFields": [`, `"maskedFields": ["deposit",`},
		{"media type", `"mediaType": "application/json"`, `"mediaType": "text/plain"`},
		{"salt", `"answerSalt": "`, `"answerSalt": "AAAA`},
		{"verified index", `"Index": 0`, `"Index": 7`},
		{"verified access", `"verified": {` + "\n" + `    "access": "accesses/0"`, `"verified": {` + "\n" + `    "access": "accesses/7"`},
		{"more verified", `"verified": {`, `"verified": {"everything": true,`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(saved, tt.old, tt.new, 1)
			if text == saved {
				t.Fatalf("%q is not in what was saved:\n%s", tt.old, saved)
			}
			stdout, stderr := verify(t, text, 1)
			if stdout != "" || strings.Contains(stderr, "9.00") {
				t.Errorf("printed %q, told %q", stdout, stderr)
			}
		})
	}
	t.Run("white space", func(t *testing.T) {
		var loose bytes.Buffer
		if err := json.Indent(&loose, []byte(saved), "", "    "); err != nil {
			t.Fatal(err)
		}
		verify(t, loose.String(), 0)
	})
	t.Run("answer taken out", func(t *testing.T) {
		var all map[string]json.RawMessage
		if err := json.Unmarshal([]byte(saved), &all); err != nil {
			t.Fatal(err)
		}
		delete(all, "answer")
		b, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		if stdout, _ := verify(t, string(b), 0); !strings.Contains(stdout, "NOT COMPARED  -                        -       -     answer's bytes") {
			t.Errorf("nothing says that no answer was compared:\n%s", stdout)
		}
	})
}

// TestInlineAnswer puts answers into an object and gets their exact bytes back.
func TestInlineAnswer(t *testing.T) {
	for _, answer := range []string{
		`{"rows":[]}`, `{ "a" : 1.0 }`, "[\n1 ,2]", ` {"a":1}`, "{\"a\":1}\n", `"text"`, `"AAAA"`, "12", "null", "", "<xml/>", "{\"a\":\"\xff\"}", `{"a":"<&>\u2028"}`,
	} {
		b, err := withAnswer([]byte(`{"b":{"c":1}}`), []byte(answer))
		if err != nil {
			t.Fatal(err)
		}
		all, err := members(b)
		if err != nil {
			t.Fatalf("%q makes %s: %v", answer, b, err)
		}
		if got := spellings(all["answer"]); len(got) == 0 || string(got[0]) != answer {
			t.Errorf("%q comes back as %q", answer, got)
		}
	}
}
