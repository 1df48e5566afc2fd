package exchange

import (
	"bytes"
	"context"
	"fmt"

	"github.com/kuasheng/kuasheng/exchange/state"
)

// journalMemory keeps the last accepted checkpoint of every journal in the exchange's state.
type journalMemory struct{ state *state.Store }

func (m journalMemory) Accepted(_ context.Context, origin string) ([]byte, error) {
	e, ok, err := m.state.Get(state.JournalKey(origin))
	if err != nil || !ok {
		return nil, err
	}
	return bytes.Clone(e.Value), nil
}

func (m journalMemory) Remember(ctx context.Context, origin string, signed []byte) error {
	key := state.JournalKey(origin)
	e, ok, err := m.state.Get(key)
	if err != nil {
		return err
	}
	w := state.Write{Key: key, Value: signed}
	if ok {
		w.Expected = e.Revision
	}
	// One session at a time writes a journal's key, so a conflict is a fault.
	if _, err := m.state.Commit(ctx, state.Change{w}); err != nil {
		return fmt.Errorf("remembering a journal's checkpoint: %w", err)
	}
	return nil
}
