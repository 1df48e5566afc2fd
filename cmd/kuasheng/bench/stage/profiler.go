package stage

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
)

// Profiler is the one CPU profile that a process can take at a time.
type Profiler struct{ file *os.File }

// Begin begins a profile into a file.
func (p *Profiler) Begin(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("creating the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(fmt.Errorf("beginning the profile: %w", err), f.Close())
	}
	p.file = f
	return nil
}

// End writes the profile. Where none was begun it does nothing.
func (p *Profiler) End() error {
	if p.file == nil {
		return nil
	}
	pprof.StopCPUProfile()
	err := p.file.Close()
	p.file = nil
	if err != nil {
		return fmt.Errorf("writing the profile: %w", err)
	}
	return nil
}
