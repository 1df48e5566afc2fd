package client_test

import (
	"errors"
	"testing"

	"github.com/kuasheng/kuasheng/exchange/client"
	"github.com/kuasheng/kuasheng/exchange/client/clienttest"
)

func TestJournalKeys(t *testing.T) {
	for _, tt := range []struct {
		name   string
		edit   func(e, other *clienttest.Exchange, cfg *client.Config)
		step   client.Step // 0: the answer holds
		pinned bool
	}{
		{name: "registry", edit: func(_, _ *clienttest.Exchange, _ *client.Config) {}},
		{name: "registry has an older key too", edit: func(e, other *clienttest.Exchange, _ *client.Config) {
			e.SetJournalKeys(other.Journal.Key, e.Journal.Key)
		}},
		{name: "registry has another key", step: client.StepAnswerReceipt, edit: func(e, other *clienttest.Exchange, _ *client.Config) {
			e.SetJournalKeys(other.Journal.Key)
		}},
		{name: "registry has none", step: client.StepAnswerReceipt, edit: func(e, _ *clienttest.Exchange, _ *client.Config) { e.SetJournalKeys() }},
		{name: "pinned", pinned: true, edit: func(e, _ *clienttest.Exchange, cfg *client.Config) {
			e.SetJournalKeys() // not looked at
			cfg.JournalKeys = map[string]string{e.Journal.Origin(): e.Journal.Key}
		}},
		{name: "pinned to another key never falls back", step: client.StepAnswerReceipt, edit: func(e, other *clienttest.Exchange, cfg *client.Config) {
			cfg.JournalKeys = map[string]string{e.Journal.Origin(): other.Journal.Key}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, other := clienttest.New(t), clienttest.New(t)
			cfg := config(t, e)
			tt.edit(e, other, &cfg)
			a, err := dial(t, cfg).Query(t.Context(), request())
			var failed *client.EvidenceError
			switch {
			case tt.step == 0 && (err != nil || a.Evidence.Pinned != tt.pinned):
				t.Errorf("answer %v, error %v", a, err)
			case tt.step != 0 && (!errors.As(err, &failed) || failed.Step != tt.step):
				t.Errorf("error = %v, want step %v", err, tt.step)
			}
		})
	}
}

// TestJournalKeyUnavailable has no member to ask for: the answer is not returned, and nobody is accused.
func TestJournalKeyUnavailable(t *testing.T) {
	e := clienttest.New(t)
	e.SetJournalKeys("not a key")
	a, err := dial(t, config(t, e)).Query(t.Context(), request())
	if a != nil || !errors.Is(err, client.ErrJournalKey) || errors.Is(err, client.ErrEvidence) {
		t.Errorf("answer %v, error %v", a, err)
	}
}
