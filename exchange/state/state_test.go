package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// newStore creates a store in a new directory; it is closed with the test.
func newStore(t testing.TB) *Store {
	t.Helper()
	s, err := Create(filepath.Join(t.TempDir(), "state"), "exchange.example", quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func commit(t testing.TB, s *Store, writes ...Write) uint64 {
	t.Helper()
	revision, err := s.Commit(t.Context(), writes)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// content reads all that subscribers of everything would see.
func content(t testing.TB, s *Store) map[Key]string {
	t.Helper()
	all := make(map[Key]string)
	for _, prefix := range []Key{Members, Resources, Grants} {
		err := s.Subscribe(prefix, func(e Entry) error {
			all[e.Key] = fmt.Sprintf("%s@%d", e.Value, e.Revision)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestCreateAndOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if _, err := Open(dir, quiet()); !errors.Is(err, ErrNotExist) {
		t.Errorf("Open of nothing: %v, want ErrNotExist", err)
	}
	// What a crash in Create leaves behind is in nobody's way.
	if err := os.MkdirAll(filepath.Join(dir+".new", "rest"), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := Create(dir, "exchange.example", quiet())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, quiet()); err == nil {
		t.Error("a second Open succeeded while the store is open")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, "exchange.example", quiet()); !errors.Is(err, ErrExists) {
		t.Errorf("Create of what exists: %v, want ErrExists", err)
	}
	if s, err = Open(dir, quiet()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.TrustDomain() != "exchange.example" || s.Revision() != 0 {
		t.Errorf("opened a store of %q at revision %d", s.TrustDomain(), s.Revision())
	}
	if _, err := os.Stat(dir + ".new"); !os.IsNotExist(err) {
		t.Errorf("the unfinished directory is still there: %v", err)
	}
}

func TestOpenRefusesWhatIsNotOurs(t *testing.T) {
	empty := t.TempDir()
	if _, err := Open(empty, quiet()); !errors.Is(err, ErrNotExist) {
		t.Errorf("Open of an empty directory: %v, want ErrNotExist", err)
	}
	if left, _ := os.ReadDir(empty); len(left) != 0 {
		t.Errorf("Open left %d files in a directory that was not a store", len(left))
	}
	for name, identity := range map[string][]byte{
		"another program's": nil,
		"later format":      []byte("kuasheng exchange state\n2\nexchange.example\n"),
		"garbage":           []byte("x"),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db, err := openBadger(dir, quiet())
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(txn *badger.Txn) error {
				if identity == nil {
					return txn.Set([]byte("other"), []byte("data"))
				}
				return txn.Set([]byte(identityKey), identity)
			})
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, quiet()); !errors.Is(err, ErrIdentity) {
				t.Errorf("Open: %v, want ErrIdentity", err)
			}
		})
	}
}

func TestCompareAndSet(t *testing.T) {
	s := newStore(t)
	one := commit(t, s, Write{Key: GrantKey("a"), Value: []byte("a1")})
	two := commit(t, s, Write{Key: GrantKey("a"), Expected: one, Value: []byte("a2")}, Write{Key: GrantKey("b"), Value: []byte("b2")})
	if one != 1 || two != 2 {
		t.Fatalf("revisions %d and %d, want 1 and 2", one, two)
	}
	for _, c := range []struct {
		name   string
		change Change
		want   error
	}{
		{"creating what exists", Change{{Key: GrantKey("a"), Value: []byte("x")}}, ErrConflict},
		{"changing an older revision", Change{{Key: GrantKey("a"), Expected: one, Value: []byte("x")}}, ErrConflict},
		{"changing a revision to come", Change{{Key: GrantKey("a"), Expected: 3, Value: []byte("x")}}, ErrConflict},
		{"changing what is not there", Change{{Key: GrantKey("c"), Expected: 1, Value: []byte("x")}}, ErrConflict},
		{"one of two conflicts", Change{{Key: GrantKey("c"), Value: []byte("x")}, {Key: GrantKey("b"), Expected: one, Value: []byte("x")}}, ErrConflict},
		{"condition does not hold", Change{{Key: GrantKey("c"), Value: []byte("x")}, {Key: GrantKey("a"), Expected: one}}, ErrConflict},
		{"condition of absence does not hold", Change{{Key: GrantKey("c"), Value: []byte("x")}, {Key: GrantKey("a")}}, ErrConflict},
		{"nothing to write", Change{{Key: GrantKey("a"), Expected: two}}, errChange},
		{"empty", nil, errChange},
		{"key twice", Change{{Key: GrantKey("c"), Value: []byte("x")}, {Key: GrantKey("c"), Value: []byte("y")}}, errChange},
		{"the store's own key", Change{{Key: revisionKey, Value: []byte("x")}}, errChange},
		{"too large", Change{{Key: GrantKey("c"), Value: make([]byte, MaxChange)}}, ErrTooLarge},
		{"too many keys", make(Change, maxKeys+1), ErrTooLarge},
	} {
		if _, err := s.Commit(t.Context(), c.change); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	want := map[Key]string{"grant/a": "a2@2", "grant/b": "b2@2"}
	if diff := cmp.Diff(want, content(t, s)); diff != "" {
		t.Errorf("content after refused changes (-want +got):\n%s", diff)
	}
	three := commit(t, s, Write{Key: GrantKey("c"), Value: []byte{}}, Write{Key: GrantKey("a"), Expected: two})
	entry, ok, err := s.Get(GrantKey("c"))
	if err != nil || !ok || entry.Revision != three || len(entry.Value) != 0 {
		t.Errorf("Get of an empty value: %+v, %v, %v", entry, ok, err)
	}
	if _, ok, err := s.Get(GrantKey("d")); ok || err != nil {
		t.Errorf("Get of nothing: %v, %v", ok, err)
	}
}

func TestCommitHeedsContextAndClose(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	created, err := Create(dir, "exchange.example", quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := created.Close(); err != nil {
		t.Fatal(err)
	}
	taken, proceed := make(chan bool), make(chan bool)
	hold := func(string) error {
		select {
		case taken <- true:
			<-proceed
		case <-proceed: // Close asks as well
		}
		return nil
	}
	s, err := open(dir, quiet(), faults{free: hold, commit: (*badger.Txn).Commit})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := s.Commit(ctx, Change{{Key: GrantKey("a"), Value: []byte("1")}})
		first <- err
	}()
	<-taken
	cancel()
	if _, err := s.Commit(ctx, Change{{Key: GrantKey("b"), Value: []byte("1")}}); !errors.Is(err, context.Canceled) {
		t.Errorf("the change that nobody took: %v, want context.Canceled", err)
	}
	close(proceed)
	if err := <-first; err != nil {
		t.Errorf("the change that was taken: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), Change{{Key: GrantKey("c"), Value: []byte("1")}}); !errors.Is(err, ErrClosed) {
		t.Errorf("Commit after Close: %v, want ErrClosed", err)
	}
	if !errors.Is(s.Err(), ErrClosed) {
		t.Errorf("Err after Close: %v", s.Err())
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// TestSubscribersSeeOrder lets many writers fight over few keys, and holds every subscriber's view against what Commit returned.
func TestSubscribersSeeOrder(t *testing.T) {
	const writers, each, keys = 16, 60, 5
	s := newStore(t)
	commit(t, s, Write{Key: GrantKey("0"), Value: []byte("before")})

	var mu sync.Mutex
	seen := make(map[Key]uint64)
	var last uint64
	loading := true
	err := s.Subscribe(Grants, func(e Entry) error {
		mu.Lock()
		defer mu.Unlock()
		if !loading && e.Revision != last+1 {
			t.Errorf("revision %d came after %d", e.Revision, last)
		}
		last, seen[e.Key] = e.Revision, e.Revision
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	loading = false
	others := 0
	if err := s.Subscribe(Members, func(Entry) error { others++; return nil }); err != nil {
		t.Fatal(err)
	}

	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := 0; i < each; {
				key := GrantKey(fmt.Sprint((w + i) % keys))
				mu.Lock()
				expected := seen[key]
				mu.Unlock()
				revision, err := s.Commit(t.Context(), Change{{Key: key, Expected: expected, Value: fmt.Append(nil, w, i)}})
				stored, _, getErr := s.Get(key)
				if getErr != nil {
					t.Error(getErr)
				}
				mu.Lock()
				if stored.Revision > seen[key] {
					t.Errorf("Get returned revision %d, the subscriber has seen %d", stored.Revision, seen[key])
				}
				now := seen[key]
				mu.Unlock()
				switch {
				case err == nil && now < revision:
					t.Errorf("Commit returned %d before the subscriber saw it", revision)
				case errors.Is(err, ErrConflict) && now == expected:
					t.Errorf("a conflict was told before what it conflicts with was seen")
				case err != nil && !errors.Is(err, ErrConflict):
					t.Error(err)
					return
				}
				if err == nil {
					i++
				}
			}
		})
	}
	wg.Wait()
	if want := uint64(writers*each + 1); s.Revision() != want || last != want {
		t.Errorf("revision %d, subscriber at %d, want %d", s.Revision(), last, want)
	}
	if others != 0 {
		t.Errorf("a subscriber of other keys was called %d times", others)
	}
}

func TestSubscriberFaults(t *testing.T) {
	s := newStore(t)
	commit(t, s, Write{Key: GrantKey("a"), Value: []byte("1")})
	broken := errors.New("cannot be read")
	if err := s.Subscribe(Grants, func(Entry) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("Subscribe: %v, want the subscriber's error", err)
	}
	if err := s.Subscribe(Members, func(Entry) error { return broken }); err != nil {
		t.Fatal(err)
	}
	commit(t, s, Write{Key: GrantKey("b"), Value: []byte("1")})
	if _, err := s.Commit(t.Context(), Change{{Key: MemberKey("410000"), Value: []byte("1")}}); !errors.Is(err, ErrFailed) || !errors.Is(err, broken) {
		t.Errorf("Commit that a view cannot follow: %v, want ErrFailed", err)
	}
	if _, err := s.Commit(t.Context(), Change{{Key: GrantKey("c"), Value: []byte("1")}}); !errors.Is(err, ErrFailed) {
		t.Errorf("Commit after that: %v, want ErrFailed", err)
	}
}

func TestKeys(t *testing.T) {
	for got, want := range map[Key]Key{
		MemberKey("410000"): "member/410000",
		ResourceKey("provinces/410000/resources/307410000001-000001"): "resource/410000/307410000001-000001",
		GrantKey("grants/8c7f"): "grant/8c7f",
		GrantRequestKey("spiffe://henan.example/operator/li", "8c7f"): "grant-request/spiffe://henan.example/operator/li/8c7f",
	} {
		if got != want {
			t.Errorf("key %q, want %q", got, want)
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	f.Add(encodeIdentity("exchange.example"))
	f.Add([]byte("kuasheng exchange state\n2\nx\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		domain, err := parseIdentity(data)
		if err != nil {
			return
		}
		if again, err := parseIdentity(encodeIdentity(domain)); err != nil || again != domain {
			t.Errorf("%q came back as %q, %v", domain, again, err)
		}
	})
}
