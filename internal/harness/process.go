package harness

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for another process: far more than any of them takes on a busy machine, and less than a test's own limit.
const patience = 30 * time.Second

// Process is a server in a process of its own, which can be killed, so that nothing but its disk survives. The package whose tests use one
// calls [Main] first in its TestMain. It ends with the test process at the latest.
type Process struct {
	t      testing.TB
	name   string
	cmd    *exec.Cmd
	life   io.Closer     // the child's standard input: its end is the child's end
	ready  chan struct{} // closed when it serves
	exited chan struct{} // closed when it has ended
	log    *logText
}

// Spawn serves the exchange in a process of its own, on the same address and directory as Serve does. The one in this process must have
// been stopped.
func (s *System) Spawn() *Process {
	s.T.Helper()
	if s.stop != nil {
		s.T.Fatal("the exchange runs in this process: stop it first")
	}
	cfg := s.config() // writes the SVID
	dir := filepath.Join(s.Dir, "exchange-svid")
	return spawn(s.T, "exchange", s.Dir, childFile{Exchange: &childExchange{
		Dir: cfg.Dir, Address: s.Address, Identity: s.files(dir, Domain, s.CA), SignerKey: s.signerKey, LogKey: s.LogKey,
	}})
}

// Spawn runs the node in a process of its own. The one in this process must have been stopped.
func (r *Replica) Spawn() *Process {
	t := r.Province.Sys.T
	t.Helper()
	if r.stop != nil {
		t.Fatal("the node runs in this process: stop it first")
	}
	key := r.key()
	return spawn(t, "node", r.Dir, childFile{Node: &childNode{File: r.File, SignerKey: key.signer, JournalKey: key.verifier}})
}

func spawn(t testing.TB, name, dir string, file childFile) *Process {
	t.Helper()
	b, err := json.Marshal(file)
	check(t, err)
	path := filepath.Join(dir, name+"-child.json")
	check(t, os.WriteFile(path, b, 0o600)) // it holds a key
	p := &Process{t: t, name: name, ready: make(chan struct{}), exited: make(chan struct{}), log: &logText{}}
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), childVariable+"="+path)
	p.cmd.Stderr = p.log
	p.life, err = p.cmd.StdinPipe()
	check(t, err)
	out, err := p.cmd.StdoutPipe()
	check(t, err)
	check(t, p.cmd.Start())
	go p.follow(out)
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s (process %d) logged:\n%s", name, p.cmd.Process.Pid, p.log.tail(40))
		}
	})
	return p
}

// follow waits for the process's word that it serves, and for its end.
func (p *Process) follow(out io.Reader) {
	defer close(p.exited)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == childReady {
			close(p.ready)
		}
	}
	_ = p.cmd.Wait() // how it ended is asked of ProcessState
}

// Ready is closed when it serves.
func (p *Process) Ready() <-chan struct{} { return p.ready }

// Exited is closed when it has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log is what it has logged so far.
func (p *Process) Log() string { return p.log.String() }

// WaitReady waits until it serves.
func (p *Process) WaitReady() *Process {
	p.t.Helper()
	select {
	case <-p.ready:
	case <-p.exited:
		p.t.Fatalf("%s ended before it served: %v\n%s", p.name, p.cmd.ProcessState, p.log.tail(20))
	case <-time.After(patience):
		p.t.Fatalf("%s does not serve after %v\n%s", p.name, patience, p.log.tail(20))
	}
	return p
}

// WaitExit waits until it has ended by itself and returns its exit code.
func (p *Process) WaitExit() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("%s has not ended after %v\n%s", p.name, patience, p.log.tail(20))
	}
	return p.cmd.ProcessState.ExitCode()
}

// Kill kills it, which gives it no chance to finish anything, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exited
	_ = p.life.Close()
}

// Stop asks it to stop, as a service manager does, and fails the test if it does not end well.
func (p *Process) Stop() {
	p.t.Helper()
	p.WaitReady() // before, a signal would kill it
	check(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	if code := p.WaitExit(); code != 0 {
		p.t.Errorf("%s ended with code %d after SIGTERM\n%s", p.name, code, p.log.tail(20))
	}
}

// logText collects what a server logs. It is safe for concurrent use.
type logText struct {
	mu   sync.Mutex
	text []byte
}

// maxLogText bounds what is kept of a process that logs without end; the beginning goes.
const maxLogText = 4 << 20

func (l *logText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	if len(l.text) > maxLogText {
		l.text = append([]byte(nil), l.text[len(l.text)-maxLogText/2:]...)
	}
	return len(b), nil
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// tail is the last n lines, or n lines from where the process says that it died.
func (l *logText) tail(n int) string {
	lines := strings.Split(strings.TrimRight(l.String(), "\n"), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "unexpected fault ") || strings.HasPrefix(line, "WARNING: DATA RACE") {
			return strings.Join(lines[i:min(len(lines), i+n)], "\n")
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
