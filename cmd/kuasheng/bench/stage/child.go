package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

const (
	// startTime bounds how long a child takes to open its stores.
	startTime = 30 * time.Second
	// replyTime bounds an answer: a server under full load answers in milliseconds.
	replyTime = 10 * time.Second
	// endTime is longer than a server's own graceful stop.
	endTime = 40 * time.Second
)

// child is a server in a process of its own, seen from the parent.
type child struct {
	addr    string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	replies chan reply // closed when its standard output ends

	mu    sync.Mutex // one order at a time
	ended error      // set once an answer failed to come: what comes later would belong to another order
}

func startChild(ctx context.Context, command []string, r role, dir string, stderr io.Writer) (host, error) {
	args := append(command[1:len(command):len(command)], string(r), dir)
	// Not CommandContext, which kills: ending is close's work.
	c := &child{cmd: exec.Command(command[0], args...), replies: make(chan reply)}
	c.cmd.Stderr = stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("preparing a process: %w", err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("preparing a process: %w", err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a process: %w", err)
	}
	go c.read(out)
	first, err := c.await(ctx, startTime)
	if err == nil {
		err = first.err()
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	c.addr = first.Address
	return c, nil
}

// read passes the child's lines on until its standard output ends.
func (c *child) read(out io.Reader) {
	defer close(c.replies)
	d := json.NewDecoder(out)
	for {
		var r reply
		if d.Decode(&r) != nil {
			return
		}
		c.replies <- r
	}
}

func (c *child) await(ctx context.Context, limit time.Duration) (reply, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r, ok := <-c.replies:
		if !ok {
			return reply{}, errEnded
		}
		return r, nil
	case <-timer.C:
		return reply{}, fmt.Errorf("the process did not answer within %s", limit)
	case <-ctx.Done():
		return reply{}, ctx.Err()
	}
}

// ask gives one order and waits for its answer.
func (c *child) ask(o order) (reply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return reply{}, c.ended
	}
	b, err := json.Marshal(o)
	if err != nil {
		return reply{}, fmt.Errorf("encoding an order: %w", err)
	}
	if _, err := c.stdin.Write(append(b, '\n')); err != nil {
		c.ended = fmt.Errorf("%w: %w", errEnded, err)
		return reply{}, c.ended
	}
	// A sample is taken also when the run is being given up, so no context ends it.
	r, err := c.await(context.Background(), replyTime)
	if err != nil {
		c.ended = err
		return r, err
	}
	return r, r.err()
}

func (c *child) address() string { return c.addr }

func (c *child) sample() (Sample, error) {
	r, err := c.ask(order{Do: doSample})
	return r.Sample, err
}

func (c *child) profile(path string) error {
	_, err := c.ask(order{Do: doProfile, Path: path})
	return err
}

// close ends the child by closing its standard input, and kills it only if it does not obey.
func (c *child) close() error {
	closed := c.stdin.Close()
	timer := time.AfterFunc(endTime, func() {
		_ = c.cmd.Process.Kill() // it fails only where the process has just ended
	})
	for range c.replies { // until its output ends, as Wait demands
	}
	err := c.cmd.Wait()
	if !timer.Stop() {
		return fmt.Errorf("ending a process: it did not end within %s and was killed", endTime)
	}
	if err != nil {
		return fmt.Errorf("ending a process: %w", err)
	}
	return closed
}
