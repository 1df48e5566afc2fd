package harness

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// outage is one way in which a disk stops taking what a log writes.
type outage struct {
	name       string
	everything bool // not the log's disk alone
	// prepare makes ready the directory of a log, and whole the one with everything that the server keeps, while nobody has them open.
	prepare func(t *testing.T, whole, log string)
	// begin lets it happen to a running server; the function it returns ends it.
	begin func(t *testing.T, whole, log string, p *Process) (end func())
}

// smallDisk is room for the stores of a test and little more: the exchange's state alone wants 32 MiB free.
const smallDisk = 160 << 20

// outages are those that can be made on this machine.
func outages() []outage {
	all := []outage{
		{
			name:    "disk of the log full",
			prepare: func(t *testing.T, _, log string) { mountSmall(t, log, 8<<20) },
			begin: func(t *testing.T, _, log string, _ *Process) func() {
				return fillDisk(t, filepath.Join(log, "derived"))
			},
		},
		{
			name: "disk of everything full", everything: true,
			prepare: func(t *testing.T, whole, _ string) { mountSmall(t, whole, smallDisk) },
			begin:   func(t *testing.T, whole, _ string, _ *Process) func() { return fillDisk(t, whole) },
		},
		{
			name:    "log made read-only",
			prepare: func(t *testing.T, _, log string) { requireMount(t) },
			begin:   func(t *testing.T, _, log string, _ *Process) func() { return mountReadOnly(t, log) },
		},
		limitedFiles(),
	}
	if testing.Short() || raceEnabled {
		return all[1:2] // the one that meets every store
	}
	return all
}

// limitedFiles lets writes beyond half of a segment fail. It needs no right to mount.
func limitedFiles() outage {
	return outage{
		name:    "files limited",
		prepare: func(*testing.T, string, string) {},
		begin: func(t *testing.T, _, _ string, p *Process) func() {
			limit := unix.Rlimit{Cur: segmentSize / 2, Max: segmentSize / 2}
			check(t, unix.Prlimit(p.PID(), unix.RLIMIT_FSIZE, &limit, nil))
			return func() {} // the limit goes with the process
		},
	}
}

func requireMount(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mounting a small disk takes root: %v", err)
	}
	check(t, unix.Unmount(dir, unix.MNT_DETACH))
}

// mountSmall puts a disk of its own, with the present contents, in a directory's place.
func mountSmall(t *testing.T, dir string, size int) {
	t.Helper()
	requireMount(t)
	aside := dir + ".aside"
	check(t, os.Rename(dir, aside))
	check(t, os.Mkdir(dir, 0o700))
	check(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(size)))
	t.Cleanup(func() { check(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	check(t, os.CopyFS(dir, os.DirFS(aside)))
	check(t, os.RemoveAll(aside))
}

// fillDisk takes all room that is left on the disk of a directory. The file's name is one that every store leaves alone.
func fillDisk(t *testing.T, dir string) (end func()) {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	f, err := os.Create(name)
	check(t, err)
	defer f.Close()
	for chunk := make([]byte, 1<<20); ; {
		_, err := f.Write(chunk)
		switch {
		case err == nil:
			continue
		case !errors.Is(err, unix.ENOSPC):
			t.Fatal(err)
		case len(chunk) == 1:
			return func() { check(t, os.Remove(name)) }
		}
		chunk = chunk[:len(chunk)/2] // to the last byte
	}
}

// mountReadOnly makes a directory read-only for whoever opens files there from now on.
func mountReadOnly(t *testing.T, dir string) (end func()) {
	t.Helper()
	check(t, unix.Mount(dir, dir, "", unix.MS_BIND, ""))
	check(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
	mounted := true
	end = func() {
		if mounted {
			mounted = false
			check(t, unix.Unmount(dir, unix.MNT_DETACH))
		}
	}
	t.Cleanup(end)
	return end
}
