package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// ErrStep means that a step of the scenario did not show what it must.
var ErrStep = errors.New("the demo did not behave")

// Config says how to run the demo.
type Config struct {
	// Dir keeps everything for another start. Empty: a temporary folder that is removed at the end.
	Dir string
	// Once ends the demo after the scenario instead of waiting for the context to end.
	Once bool
	// People and Enterprises are the numbers made for each province, at the first start in a folder.
	People, Enterprises int
	// Port is the exchange's for gRPC, and the next one for REST. 0: those of the last start in this folder, or any free ones.
	Port int
	// Program is how people call this command line, for the commands that they may paste.
	Program string
	// Out takes the narration.
	Out io.Writer
	// Progress makes a progress bar; a total below 0 is not known. nil: none.
	Progress func(total int64, what string) Progress
}

// Progress is a progress bar.
type Progress struct {
	At     func(done int64)
	Finish func()
}

func (cfg Config) progress(total int64, what string) Progress {
	if cfg.Progress == nil {
		return Progress{At: func(int64) {}, Finish: func() {}}
	}
	return cfg.Progress(total, what)
}

// Run runs the demo: it sets the stage, plays the scenario, and then keeps the servers up until ctx ends, unless Once is set. It returns nil
// only if every step behaved and every server stopped as it should.
func Run(ctx context.Context, cfg Config) (err error) {
	n := &narrator{w: cfg.Out}
	n.opening()
	st, err := newStage(ctx, cfg, n)
	if err != nil {
		return err
	}
	defer func() {
		// Whoever looks into a failure needs the logs.
		st.folder.keep = err != nil && ctx.Err() == nil
		err = errors.Join(err, st.close())
	}()
	s := &story{stage: st, narrator: n, cfg: cfg}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.play(ctx); err != nil {
		return err
	}
	if err := st.manifest.write(st.folder); err != nil {
		return err
	}
	if cfg.Once {
		n.closing(st)
		return nil
	}
	n.commands(st, cfg.Program)
	return st.wait(ctx)
}

// stopped is the error of a server that ended by itself.
func stopped(who string, err error) error {
	if err == nil {
		return fmt.Errorf("%w: %s stopped by itself", ErrStep, who)
	}
	return fmt.Errorf("%s stopped by itself: %w", who, err)
}

// mustf is the error of a step that did not show what it must.
func mustf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrStep}, args...)...)
}
