package node

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kuasheng/kuasheng/node/config"
	"github.com/kuasheng/kuasheng/node/policy"
)

// TestPseudonymKey notices a key that is not the one of the journal's records, and leaves one alone that nothing was recorded under.
func TestPseudonymKey(t *testing.T) {
	load := func(b byte) *policy.Policy {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(hex.EncodeToString(bytes.Repeat([]byte{b}, 32))), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := policy.Load(config.Policy{PseudonymKey: path})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	one, two := load(1), load(2)
	type start struct {
		key     *policy.Policy
		records int64
		want    error
	}
	for _, c := range []struct {
		name   string
		note   string // what lies there before
		starts []start
	}{
		{"the same key", "", []start{{one, 0, nil}, {one, 5, nil}, {one, 9, nil}}},
		{"another key before anything was recorded", "", []start{{one, 0, nil}, {two, 0, nil}, {two, 5, nil}, {one, 5, ErrPseudonymKeyChanged}}},
		{"another key after", "", []start{{one, 0, nil}, {two, 1, ErrPseudonymKeyChanged}, {two, 1, ErrPseudonymKeyChanged}, {one, 1, nil}}},
		{"a journal without a note", "", []start{{one, 5, nil}, {two, 5, ErrPseudonymKeyChanged}}},
		{"a note of zeros after a power cut", strings.Repeat("\x00", 65), []start{{one, 5, nil}, {two, 5, ErrPseudonymKeyChanged}}},
		{"a note cut by a crash", "0123", []start{{one, 5, nil}, {two, 5, ErrPseudonymKeyChanged}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := &config.Node{DataDir: t.TempDir(), Policy: config.Policy{PseudonymKey: "secrets/pseudonym.key"}}
			dir := filepath.Join(file.DataDir, "journal")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if c.note != "" {
				if err := os.WriteFile(filepath.Join(dir, pseudonymCheckFile), []byte(c.note), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for i, s := range c.starts {
				err := checkPseudonymKey(file, s.key, s.records)
				if !errors.Is(err, s.want) {
					t.Errorf("start %d: %v, want %v", i, err, s.want)
				}
				if err != nil && (strings.Contains(err.Error(), "0101") || strings.Contains(err.Error(), "0202")) {
					t.Errorf("the error holds the key: %v", err)
				}
			}
		})
	}
}

// TestKeepRunning names every key that takes a restart, and gives it its running value.
func TestKeepRunning(t *testing.T) {
	running := config.Node{
		Region: "410000", Replica: "a", DataDir: "a", JournalKey: "a", Metrics: "a",
		Identity: config.Identity{SVID: "a", Key: "a", Bundles: map[string]string{"a": "a"}, WorkloadAPI: "a"},
		Exchange: config.Exchange{ID: "a", Addresses: []string{"a"}, LogKey: "a"},
		Policy:   config.Policy{PseudonymKey: "a", TicketAge: 1},
	}
	next := config.Node{Policy: config.Policy{Deny: []config.Deny{{Reason: "x"}}}}
	got := strings.Join(keepRunning(&running, &next), " ")
	want := "region replica data_dir journal_key identity.svid identity.key identity.bundles identity.workload_api " +
		"exchange.id exchange.addresses exchange.log_key listen.metrics policy.pseudonym_key policy.ticket_age"
	if got != want {
		t.Errorf("waiting: %s, want %s", got, want)
	}
	if again := keepRunning(&running, &next); len(again) > 0 || len(next.Policy.Deny) != 1 {
		t.Errorf("a second time: %v; deny %v", again, next.Policy.Deny)
	}
}
