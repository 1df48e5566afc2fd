package source

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"
)

// lock keeps everybody else from a SQLite file.
func lock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := db.Exec("COMMIT"); err != nil {
			t.Error(err)
		}
		db.Close()
	}
}

// TestLockedFile: the caller's deadline counts, whether or not the statement was prepared before, and so does the resource's own limit.
func TestLockedFile(t *testing.T) {
	const fields, limits = "{ name: a, title: { zh: 甲 }, type: C }", "timeout: 1s"
	for _, prepared := range []bool{false, true} {
		path, source := newLite(t, "CREATE TABLE t (a)", "INSERT INTO t VALUES ('1')")
		s := openService1(t, liteFile(source, plainShare, fields, "", limits, "SELECT a FROM t"))
		if prepared {
			if _, err := s.Query(t.Context(), ask(1, "a")); err != nil {
				t.Fatal(err)
			}
		}
		unlock := lock(t, path)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		began := time.Now()
		_, err := s.Query(ctx, ask(1, "a"))
		cancel()
		// A quarter of the resource's limit is many times what a slow machine adds to the two waits of lockWait that may lie in between.
		if took := time.Since(began); !errors.Is(err, ErrTimeout) || took > 250*time.Millisecond {
			t.Errorf("prepared %v: %v after %v, want ErrTimeout at the caller's deadline", prepared, err, took)
		}
		if _, err := s.Query(t.Context(), ask(1, "a")); !errors.Is(err, ErrUnavailable) {
			t.Errorf("prepared %v: %v at the resource's limit, want ErrUnavailable", prepared, err)
		}
		done := make(chan error)
		go func() {
			_, err := s.Query(t.Context(), ask(1, "a"))
			done <- err
		}()
		unlock()
		if err := <-done; err != nil {
			t.Errorf("prepared %v: %v after the lock was let go of", prepared, err)
		}
	}
}
