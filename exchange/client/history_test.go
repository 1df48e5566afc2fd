package client_test

import (
	"errors"
	"testing"

	"github.com/kuasheng/kuasheng/exchange/client"
	"github.com/kuasheng/kuasheng/exchange/client/clienttest"
)

// TestFork shows one client two trees of one size: the exchange rewrites its last record and answers again at the same size.
func TestFork(t *testing.T) {
	e := clienttest.New(t)
	c := dial(t, config(t, e))
	if _, err := c.Query(t.Context(), request()); err != nil {
		t.Fatal(err)
	}
	before, err := c.CheckLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e.Log.Rewrite()
	_, err = c.CheckLog(t.Context())
	var fork *client.ForkError
	if !errors.Is(err, client.ErrEvidence) || !errors.Is(err, client.ErrFork) || !errors.As(err, &fork) {
		t.Fatalf("error = %v, want a fork", err)
	}
	if fork.Size != 1 || fork.Origin != e.Log.Origin() || string(fork.First) != string(before.Signed) || len(fork.Second) == 0 {
		t.Errorf("fork = %+v", fork)
	}
	// What the log shows now is consistent in itself, and believed no more.
	if _, err := c.Query(t.Context(), request()); !errors.Is(err, client.ErrFork) {
		t.Errorf("error = %v, want the fork remembered", err)
	}
}

func TestCheckLog(t *testing.T) {
	e := clienttest.New(t)
	c := dial(t, config(t, e))
	var kept []byte
	for i := range 5 {
		if _, err := c.Query(t.Context(), request()); err != nil {
			t.Fatal(err)
		}
		cp, err := c.CheckLog(t.Context())
		if err != nil || cp.Size != int64(i+1) {
			t.Fatalf("CheckLog = %+v, %v", cp, err)
		}
		if kept == nil {
			kept = cp.Signed
		}
		if err := c.Extends(t.Context(), kept, cp); err != nil {
			t.Errorf("Extends: %v", err)
		}
	}
	// A rewritten history at another size shows only to who asks for the proof.
	e.Log.Rewrite()
	if _, err := e.Log.Append(clienttest.SampleRecord); err != nil {
		t.Fatal(err)
	}
	_, err := c.CheckLog(t.Context())
	var failed *client.EvidenceError
	if !errors.As(err, &failed) || failed.Step != client.StepHistory {
		t.Errorf("error = %v, want a failed history", err)
	}
	if err := c.Extends(t.Context(), []byte("no note"), client.Checkpoint{}); err == nil {
		t.Error("a checkpoint that is none was taken")
	}
}

// TestShorterLog has a log lose records that a kept checkpoint proves.
func TestShorterLog(t *testing.T) {
	e := clienttest.New(t)
	c := dial(t, config(t, e))
	for range 2 {
		if _, err := c.Query(t.Context(), request()); err != nil {
			t.Fatal(err)
		}
	}
	cp, err := c.CheckLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shorter := cp
	shorter.Size--
	if err := c.Extends(t.Context(), cp.Signed, shorter); !errors.Is(err, client.ErrEvidence) {
		t.Errorf("error = %v, want ErrEvidence", err)
	}
}
