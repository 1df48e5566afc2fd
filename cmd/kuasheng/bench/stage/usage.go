//go:build unix

package stage

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Self is what this process has used so far.
func Self() (Sample, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return Sample{}, fmt.Errorf("reading the process's own usage: %w", err)
	}
	return Sample{Own: true, CPU: time.Duration(u.Utime.Nano() + u.Stime.Nano()), Memory: resident(u.Maxrss)}, nil
}

// resident is the memory of now where the system tells, and its peak elsewhere.
func resident(peak int64) int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return peak // in bytes on the systems that have no /proc
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return peak << 10
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return peak << 10
	}
	return pages * int64(os.Getpagesize())
}
