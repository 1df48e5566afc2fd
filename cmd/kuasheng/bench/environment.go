package bench

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// Environment is what figures depend on beside the software.
type Environment struct {
	Version    string `json:"version"`
	Go         string `json:"go"`
	System     string `json:"system"`
	Processors int    `json:"processors"`
	GOGC       string `json:"gogc,omitempty"` // where it was set; otherwise all processes tune as the servers do (package daemon)
	// DiskSync is the median time of a durable 4 KiB write where the servers keep their logs; 0 where none were started. Whoever asks waits for two of
	// them, one after the other (intent, answer): at few callers they are much of the latency.
	DiskSync float64 `json:"diskSyncMicros,omitempty"`
}

func newEnvironment() Environment {
	e := Environment{
		Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Processors: runtime.GOMAXPROCS(0), GOGC: os.Getenv("GOGC"),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		e.Version = info.Main.Version
	}
	return e
}

const (
	// syncs is enough for a median, syncTime bounds it on a disk that takes seconds.
	syncs    = 200
	syncTime = time.Second
)

// disk measures the disk. What it cannot measure it leaves out: the run does not depend on it.
func (e *Environment) disk(dir string) {
	if d, err := syncLatency(dir); err == nil {
		e.DiskSync = micros(d)
	}
}

func syncLatency(dir string) (median time.Duration, err error) {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return 0, fmt.Errorf("measuring the disk: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	h := &histogram{}
	page := make([]byte, 4096)
	for begin := time.Now(); h.total < syncs && time.Since(begin) < syncTime; {
		// Over the same page: the size of the file does not change, as that of the logs' files does not.
		before := time.Now()
		if _, err := f.WriteAt(page, 0); err != nil {
			return 0, fmt.Errorf("measuring the disk: %w", err)
		}
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("measuring the disk: %w", err)
		}
		h.record(time.Since(before))
	}
	return h.quantile(0.5), nil
}
