package flood

import (
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	start := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	rate := Rate{Burst: 3, PerSecond: 2}
	var b Bucket
	if !b.Full(start, rate) {
		t.Error("a new bucket is not full")
	}
	for _, step := range []struct {
		name  string
		at    time.Duration
		takes int // how many tokens come before the first refusal
	}{
		{"burst", 0, 3},
		{"at once again", 0, 0},
		{"half a second", 500 * time.Millisecond, 1},
		{"less than a token", 900 * time.Millisecond, 0},
		{"what was less adds up", time.Second, 1},
		{"never more than the burst", time.Hour, 3},
		{"clock set back", 0, 0},
		{"and going on from there", time.Second, 2},
	} {
		got := 0
		for b.Take(start.Add(step.at), rate) {
			got++
		}
		if got != step.takes {
			t.Errorf("%s: %d tokens, want %d", step.name, got, step.takes)
		}
	}
	if b.Full(start.Add(time.Second), rate) || !b.Full(start.Add(3*time.Second), rate) {
		t.Error("an empty bucket is full again too early or never")
	}
}
