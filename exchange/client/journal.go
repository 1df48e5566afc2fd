package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sync/singleflight"

	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/translog"
)

const (
	// keyAge is how long a key from the registry is believed: one that was taken out because it leaked serves no longer than this.
	keyAge = 10 * time.Minute
	// keyRetry is the least time between two looks at one province's keys, so that answers with broken evidence cannot make the client
	// flood the registry. A replica that joined is known after this time at the latest.
	keyRetry = 5 * time.Second
	// keyTimeout bounds one look, which serves all callers that wait for it and so obeys none of their deadlines.
	keyTimeout = 10 * time.Second
)

// errUnregistered means that the intent names a journal that is not the province's.
var errUnregistered = errors.New("the province has no such journal")

// journals finds the keys of journals: pinned ones, and those of the registry.
type journals struct {
	pins     map[string]note.Verifier
	registry registryv1.RegistryServiceClient
	flight   singleflight.Group

	mu      sync.Mutex              // guards members
	members map[string]*journalKeys // by member name; the values are never changed
}

// journalKeys is what the registry said about one member. A journal may have several keys while one is replaced.
type journalKeys struct {
	fetched  time.Time
	byOrigin map[string][]note.Verifier
}

func newJournals(pins map[string]note.Verifier, registry registryv1.RegistryServiceClient) *journals {
	return &journals{pins: maps.Clone(pins), registry: registry, members: map[string]*journalKeys{}}
}

// verify calls try with each key of the journal until one succeeds. Keys that fail are looked up once more, since the province may have
// replaced them.
func (j *journals) verify(ctx context.Context, member, origin string, try func(note.Verifier) error) (pinned bool, err error) {
	if pin, ok := j.pins[origin]; ok {
		return true, try(pin)
	}
	known := j.known(member)
	if known == nil || time.Since(known.fetched) > keyAge {
		if known, err = j.fetch(ctx, member); err != nil {
			return false, err
		}
	}
	err = known.try(origin, try)
	if err == nil || time.Since(known.fetched) < keyRetry {
		return false, err
	}
	if known, err = j.fetch(ctx, member); err != nil {
		return false, err
	}
	return false, known.try(origin, try)
}

func (k *journalKeys) try(origin string, try func(note.Verifier) error) error {
	err := fmt.Errorf("journal %.255q: %w", origin, errUnregistered)
	for _, v := range k.byOrigin[origin] {
		if err = try(v); err == nil {
			return nil
		}
	}
	return err
}

func (j *journals) known(member string) *journalKeys {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.members[member]
}

// fetch asks the registry, once for all who ask at the same time.
func (j *journals) fetch(ctx context.Context, member string) (*journalKeys, error) {
	result := j.flight.DoChan(member, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keyTimeout)
		defer cancel()
		return j.ask(ctx, member)
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: reading the keys of %.64q: %w", ErrJournalKey, member, ctx.Err())
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*journalKeys), nil
	}
}

func (j *journals) ask(ctx context.Context, member string) (*journalKeys, error) {
	m, err := j.registry.GetMember(ctx, &registryv1.GetMemberRequest{Name: member})
	if err != nil {
		return nil, fmt.Errorf("%w: reading the keys of %.64q: %w", ErrJournalKey, member, err)
	}
	keys := &journalKeys{fetched: time.Now(), byOrigin: map[string][]note.Verifier{}}
	for i, k := range m.GetJournalKeys() {
		v, err := translog.NewVerifier(k.GetVerifierKey())
		if err != nil {
			return nil, fmt.Errorf("%w: key %d of %.64q: %w", ErrJournalKey, i, member, err)
		}
		keys.byOrigin[v.Name()] = append(keys.byOrigin[v.Name()], v)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.members[member] = keys
	return keys, nil
}
