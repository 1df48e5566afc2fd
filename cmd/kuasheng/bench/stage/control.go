package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// order is one line that a child reads; exactly one reply follows.
type order struct {
	Do   string `json:"do"`
	Path string `json:"path,omitempty"`
}

const (
	doSample  = "sample"
	doProfile = "profile" // ends it where there is no path
)

// reply is one line that a child writes: first its address, then an answer to each order.
type reply struct {
	Address string `json:"address,omitempty"`
	Sample  Sample `json:"sample"`
	Error   string `json:"error,omitempty"`
}

func (r reply) err() error {
	if r.Error == "" {
		return nil
	}
	return errors.New(r.Error)
}

// Serve is the life of a child: it opens the server of a role, writes its address, obeys orders, and closes the server when in ends or ctx does.
func Serve(ctx context.Context, roleName, dir string, in io.Reader, out io.Writer, logger *slog.Logger) (err error) {
	replies := json.NewEncoder(out)
	r := role(roleName)
	// A signal must not end parts of the server behind the back of close.
	s, err := openServer(context.WithoutCancel(ctx), r, dir, logger.With("server", roleName))
	if err != nil {
		return errors.Join(fmt.Errorf("serving %s: %w", roleName, err), replies.Encode(reply{Error: err.Error()}))
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := replies.Encode(reply{Address: s.address}); err != nil {
		return fmt.Errorf("telling the address: %w", err)
	}
	p := &Profiler{}
	defer func() { err = errors.Join(err, p.End()) }()
	orders := readOrders(in)
	for {
		select {
		case o, ok := <-orders:
			if !ok {
				return nil
			}
			if err := replies.Encode(s.obey(o, p)); err != nil {
				return fmt.Errorf("answering: %w", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *server) obey(o order, p *Profiler) (r reply) {
	var err error
	switch o.Do {
	case doSample:
		r.Sample, err = s.sample()
	case doProfile:
		if err = p.End(); err == nil && o.Path != "" {
			err = p.Begin(o.Path)
		}
	default:
		err = fmt.Errorf("unknown order %.32q", o.Do)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// readOrders gives orders until in ends or holds something else. Its goroutine ends with in, which for a child is its life.
func readOrders(in io.Reader) <-chan order {
	orders := make(chan order)
	go func() {
		defer close(orders)
		d := json.NewDecoder(in)
		for {
			var o order
			if d.Decode(&o) != nil {
				return
			}
			orders <- o
		}
	}()
	return orders
}
