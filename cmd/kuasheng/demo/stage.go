package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// patience bounds what the demo waits for: attaching, publishing, outcomes. On a slow machine under load these take seconds.
const patience = 60 * time.Second

// stage is everything that runs.
type stage struct {
	folder      *folder
	first       bool // nothing was kept of an earlier start
	began       time.Time
	authorities *authorities
	exchange    *exchangeServer
	provinces   []*province
	manifest    *Manifest
	logKey      string
	logger      *slog.Logger

	logFile *os.File
	life    context.Context // of the servers; it outlives the scenario's, so that they are stopped in order
	end     context.CancelFunc
	renewal sync.WaitGroup
	failed  chan error // servers that have stopped; roomy enough for all of them
}

// newStage sets everything up; its owner calls close. It tells what it does.
func newStage(ctx context.Context, cfg Config, n *narrator) (_ *stage, err error) {
	st := &stage{began: time.Now(), failed: make(chan error, 8)}
	if st.folder, err = openFolder(cfg.Dir); err != nil {
		return nil, err
	}
	st.first = st.folder.kept == nil
	st.life, st.end = context.WithCancel(context.WithoutCancel(ctx))
	if err := st.set(ctx, cfg, n); err != nil {
		return nil, errors.Join(err, st.close())
	}
	return st, nil
}

func (st *stage) set(ctx context.Context, cfg Config, n *narrator) error {
	var err error
	if st.logFile, err = os.OpenFile(st.folder.path("server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return fmt.Errorf("opening the operations log: %w", err)
	}
	st.logger = slog.New(slog.NewTextHandler(st.logFile, nil))
	for _, b := range bureaus() {
		st.provinces = append(st.provinces, &province{bureau: b, folder: st.folder})
	}
	n.title("各省的数据和身份", "Each province's data, and its own authority")
	if err := st.prepare(ctx, cfg, n); err != nil {
		return err
	}
	n.title("交换平台和三省节点", "One exchange and three nodes start")
	if err := st.serve(ctx, cfg, n); err != nil {
		return err
	}
	return st.describe(cfg)
}

// prepare makes data, authorities and keys, or takes those of an earlier start.
func (st *stage) prepare(ctx context.Context, cfg Config, n *narrator) error {
	var err error
	if st.first {
		err = st.generate(ctx, cfg)
	} else {
		err = st.recall()
	}
	if err != nil {
		return err
	}
	if st.authorities, err = openAuthorities(st.folder); err != nil {
		return err
	}
	if err := st.authorities.issueAll(); err != nil {
		return err
	}
	st.renewal.Go(func() { st.authorities.renew(st.life, st.logger) })
	n.tellData(st)
	return nil
}

// generate makes the provinces' data and keys, one province after the other: a whole one is in memory while it is made.
func (st *stage) generate(ctx context.Context, cfg Config) error {
	for _, p := range st.provinces {
		var bar Progress
		err := p.generate(ctx, cfg, func(done, total int) {
			if bar.At == nil { // how much there is, the first report tells
				bar = cfg.progress(int64(total), "generating "+p.region.English)
			}
			bar.At(int64(done))
		})
		if bar.Finish != nil {
			bar.Finish()
		}
		if err != nil {
			return err
		}
		if err := p.secrets(); err != nil {
			return err
		}
	}
	var err error
	st.logKey, err = newLogKey(st.folder.path(exchangeKey, "secrets", "accesslog.key"), domainOf(exchangeKey)+"/access")
	return err
}

func (st *stage) recall() error {
	kept := st.folder.kept
	st.logKey = kept.Exchange.LogKey
	for _, p := range st.provinces {
		p.journalKey = kept.Provinces[p.key].JournalKey
		if err := p.recall(); err != nil {
			return err
		}
	}
	return nil
}

// serve starts the exchange, registers the members, and starts their nodes.
func (st *stage) serve(ctx context.Context, cfg Config, n *narrator) error {
	grpc, rest, err := st.listen(ctx, cfg.Port)
	if err != nil {
		return err
	}
	st.manifest = &Manifest{GRPC: grpc.Addr().String(), REST: "https://" + rest.Addr().String()}
	path := st.folder.path(exchangeKey, "exchange.yaml")
	if err := writeExchangeFile(path, grpc.Addr().String(), rest.Addr().String()); err != nil {
		return errors.Join(err, grpc.Close(), rest.Close())
	}
	if st.exchange, err = startExchange(st.life, path, st.logKey, st.first, grpc, rest, st.failed, st.logger.With("server", exchangeKey)); err != nil {
		return errors.Join(err, grpc.Close(), rest.Close())
	}
	n.tellExchange(st)
	if err := st.register(ctx, n); err != nil {
		return err
	}
	for _, p := range st.provinces {
		if err := p.write(st.manifest.GRPC, st.logKey); err != nil {
			return err
		}
		if err := p.start(st.life, st.first, st.failed, st.logger); err != nil {
			return err
		}
	}
	for _, p := range st.provinces {
		if err := eventually(ctx, "the node of "+p.key+" to attach", func() (bool, error) { return p.node.Attached(), nil }); err != nil {
			return err
		}
		n.tellNode(p)
	}
	return nil
}

// listen takes the ports: those given, those of the last start, or any.
func (st *stage) listen(ctx context.Context, port int) (grpc, rest net.Listener, err error) {
	addresses := [2]string{"127.0.0.1:0", "127.0.0.1:0"}
	hint := "name others with --port"
	switch {
	case port > 0:
		addresses = [2]string{"127.0.0.1:" + strconv.Itoa(port), "127.0.0.1:" + strconv.Itoa(port+1)}
	case !st.first:
		kept := st.folder.kept
		addresses = [2]string{kept.GRPC, strings.TrimPrefix(kept.REST, "https://")}
		hint = "it served there at its last start; is it still running? Otherwise name other ports with --port"
	}
	var lc net.ListenConfig
	if grpc, err = lc.Listen(ctx, "tcp", addresses[0]); err != nil {
		return nil, nil, fmt.Errorf("taking the exchange's port: %w; %s", err, hint)
	}
	if rest, err = lc.Listen(ctx, "tcp", addresses[1]); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("taking the port for REST: %w; %s", err, hint), grpc.Close())
	}
	return grpc, rest, nil
}

// province finds a province by its key.
func (st *stage) province(key string) *province {
	for _, p := range st.provinces {
		if p.key == key {
			return p
		}
	}
	return nil
}

// wait keeps everything up until ctx ends, or a server stops by itself.
func (st *stage) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-st.failed:
		return err
	}
}

// close stops the nodes, then the exchange, then the rest.
func (st *stage) close() error {
	var errs []error
	for _, p := range st.provinces {
		errs = append(errs, p.close())
	}
	if st.exchange != nil {
		errs = append(errs, st.exchange.close())
	}
	st.end()
	st.renewal.Wait()
	if st.logFile != nil {
		errs = append(errs, st.logFile.Close())
	}
	return errors.Join(append(errs, st.folder.close())...)
}

// eventually waits for what other goroutines bring about.
func eventually(ctx context.Context, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
}
